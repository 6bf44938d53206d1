//! What a value holds for a sample, vector by vector.

use crate::simd::Simd;
use crate::spikes::layout::WORD_BITS;

/// A row of a value, [`padded`](crate::spikes::layout::padded) but for words.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Spikes(&'a [u64]),
    Numbers(&'a [f32]),
    Integers(&'a [i32]),
}

impl Row<'_> {
    /// One vector; of spikes, 1 or 0; of integers, the nearest numbers.
    #[inline(always)]
    pub(super) fn numbers<S: Simd>(self, simd: S, first: usize) -> S::F32 {
        match self {
            Self::Numbers(row) => simd.load(&row[first..]),
            Self::Spikes(_) | Self::Integers(_) => simd.to_f32(self.integers(simd, first)),
        }
    }

    /// One vector of spikes or integers.
    #[inline(always)]
    pub(super) fn integers<S: Simd>(self, simd: S, first: usize) -> S::I32 {
        match self {
            Self::Spikes(row) => {
                let fired = simd.to_mask(row[first / WORD_BITS] >> (first % WORD_BITS));
                simd.select_i32(fired, simd.splat_i32(1), simd.splat_i32(0))
            }
            Self::Integers(row) => simd.load_i32(&row[first..]),
            Self::Numbers(_) => unreachable!("numbers are no integers"),
        }
    }
}
