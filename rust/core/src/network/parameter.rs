//! A number for each neuron, or one for all.

use crate::simd::Simd;
use crate::tiling::Row;
use alloc::vec::Vec;

/// One number for all neurons of a layer, or one for each, padded.
#[derive(Clone, Debug)]
pub(super) enum Parameter {
    Same(f32),
    Each(Vec<f32>),
}

impl Parameter {
    /// That of a neuron.
    pub(super) fn of(&self, neuron: usize) -> f32 {
        match self {
            Self::Same(number) => *number,
            Self::Each(numbers) => numbers[neuron],
        }
    }

    /// One vector of it.
    #[inline(always)]
    pub(super) fn load<S: Simd>(&self, simd: S, first: usize) -> S::F32 {
        let row = match self {
            Self::Same(number) => Row::Same(*number),
            Self::Each(numbers) => Row::Each(&numbers[first..]),
        };
        let [vector] = row.load::<S, true, 1>(simd);
        vector
    }
}
