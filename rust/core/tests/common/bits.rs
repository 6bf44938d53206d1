//! Spikes to test with, and their packed form, made one bit at a time.

#![allow(dead_code, reason = "no test needs every helper")]

use bitspike::spikes::layout;

/// Spikes that look random: a third of them, from a multiplicative hash.
pub(crate) fn dense(len: usize) -> Vec<bool> {
    (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 3 == 0)
        .collect()
}

/// Packs one bit at a time.
pub(crate) fn packed(dense: &[bool], rows: usize, neurons: usize) -> Vec<u64> {
    let row_len = layout::words(neurons);
    let mut packed = vec![0; rows * row_len];
    for (i, _) in dense.iter().enumerate().filter(|(_, spike)| **spike) {
        packed[i / neurons * row_len + i % neurons / 64] |= 1 << (i % neurons % 64);
    }
    packed
}
