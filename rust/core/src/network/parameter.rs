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

    /// The same of other numbers.
    pub(super) fn map<U>(&self, f: impl Fn(T) -> U) -> Parameter<U> {
        match self {
            Self::Same(number) => Parameter::Same(f(*number)),
            Self::Each(numbers) => Parameter::Each(numbers.iter().map(|x| f(*x)).collect()),
        }
    }
}

impl Parameter<i32> {
    /// One vector of it.
    #[inline(always)]
    pub(super) fn load<S: Simd>(&self, simd: S, first: usize) -> S::I32 {
        match self {
            Self::Same(number) => simd.splat_i32(*number),
            Self::Each(numbers) => simd.load_i32(&numbers[first..]),
        }
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
