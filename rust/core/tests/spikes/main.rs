//! Spikes as bits, against loops that look at one bit at a time.

mod count;
mod pack;
mod pool;
mod positions;
mod random;
mod regroup;
mod times;
mod transpose;

use bitspike::spikes::layout;
use proptest::prelude::*;

/// The sizes around word boundaries.
const SIZES: [usize; 8] = [0, 1, 63, 64, 65, 127, 128, 130];

/// Large enough that work is shared between threads.
const LARGE: (usize, usize) = (700, 1030);

fn bit(words: &[u64], neurons: usize, row: usize, neuron: usize) -> bool {
    words[row * layout::words(neurons) + neuron / 64] >> (neuron % 64) & 1 == 1
}

/// Spikes that look random: a third of them, from a multiplicative hash.
fn dense(len: usize) -> Vec<bool> {
    (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 3 == 0)
        .collect()
}

/// Packs one bit at a time.
fn packed(dense: &[bool], rows: usize, neurons: usize) -> Vec<u64> {
    let row_len = layout::words(neurons);
    let mut packed = vec![0; rows * row_len];
    for (i, _) in dense.iter().enumerate().filter(|(_, spike)| **spike) {
        packed[i / neurons * row_len + i % neurons / 64] |= 1 << (i % neurons % 64);
    }
    packed
}

/// Packed rows, one bool a neuron.
fn unpacked(words: &[u64], rows: usize, neurons: usize) -> Vec<bool> {
    (0..rows * neurons)
        .map(|i| bit(words, neurons, i / neurons, i % neurons))
        .collect()
}

fn sizes() -> impl Strategy<Value = (usize, usize)> {
    (
        0..6usize,
        prop_oneof![prop::sample::select(SIZES.to_vec()), 0..300usize],
    )
}

fn spikes() -> impl Strategy<Value = (usize, usize, Vec<bool>)> {
    sizes().prop_flat_map(|(rows, neurons)| {
        prop::collection::vec(any::<bool>(), rows * neurons)
            .prop_map(move |dense| (rows, neurons, dense))
    })
}
