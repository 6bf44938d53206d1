//! A number or an integer for each neuron, or one for all.

use crate::simd::Simd;
use crate::tiling::Row;
use alloc::vec::Vec;

/// One number for all neurons of a layer, or one for each, padded.
#[derive(Clone, Debug)]
pub(super) enum Parameter<T = f32> {
    Same(T),
    Each(Vec<T>),
}

impl<T: Copy> Parameter<T> {
    /// That of a neuron.
    pub(super) fn of(&self, neuron: usize) -> T {
        match self {
            Self::Same(number) => *number,
            Self::Each(numbers) => numbers[neuron],
        }
    }

    /// That of each of so many neurons.
    pub(super) fn row(&self, neurons: usize) -> Vec<T> {
        (0..neurons).map(|neuron| self.of(neuron)).collect()
    }
}

impl Parameter {
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
