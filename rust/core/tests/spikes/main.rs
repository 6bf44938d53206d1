//! Spikes as bits, against loops that look at one bit at a time.

#[path = "../common/bits.rs"]
mod bits;
mod count;
mod pack;
mod positions;
mod random;
mod regroup;
mod times;
mod transpose;

use bits::{dense, packed};
use bitspike::spikes::layout;
use proptest::prelude::*;

/// The sizes around word boundaries.
const SIZES: [usize; 8] = [0, 1, 63, 64, 65, 127, 128, 130];

/// Large enough that work is shared between threads.
const LARGE: (usize, usize) = (700, 1030);

fn bit(words: &[u64], neurons: usize, row: usize, neuron: usize) -> bool {
    words[row * layout::words(neurons) + neuron / 64] >> (neuron % 64) & 1 == 1
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
