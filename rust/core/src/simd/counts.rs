//! Counting the bits in which words agree.

use super::{Portable, Simd, array};

/// Words, or sums, that are worked on together.
pub(crate) const LINE: usize = 8;

/// A token of a CPU that counts bits, as [`Simd`] is of one that computes with floats.
///
/// It is another one, because not every CPU with AVX-512 has the instruction for it.
pub(crate) trait CountBits: Copy + Send + Sync {
    /// Lines of words that take half of the registers, together with two rows.
    const LINES: usize;
    /// [`LINE`] sums.
    type Sums: Copy;

    /// Runs `kernel` compiled for this instruction set; see [`Simd::vectorize`].
    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R;

    /// Sums of 0.
    fn zero(self) -> Self::Sums;
    /// `sums + pop(word & line)`, word by word of the line.
    fn add(self, sums: Self::Sums, word: u64, line: &[u64; LINE]) -> Self::Sums;
    /// `sums - pop(word & line)`.
    fn sub(self, sums: Self::Sums, word: u64, line: &[u64; LINE]) -> Self::Sums;
    /// The sums as numbers, which lie in the range of `i32`.
    fn sums(self, sums: Self::Sums) -> [i32; LINE];
}

/// Work that can run on any token.
pub(crate) trait CountKernel {
    /// Does the work. Mark implementations `#[inline(always)]`.
    fn run<C: CountBits>(self, counter: C);
}

#[inline(always)]
pub(super) fn vectorized<C: CountBits>(counter: C, kernel: impl CountKernel) {
    counter.vectorize(
        #[inline(always)]
        || kernel.run(counter),
    );
}

impl CountBits for Portable {
    const LINES: usize = 1;
    type Sums = [i32; LINE];

    #[inline(always)]
    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R {
        Simd::vectorize(self, kernel)
    }
    #[inline(always)]
    fn zero(self) -> Self::Sums {
        [0; LINE]
    }
    #[inline(always)]
    fn add(self, sums: Self::Sums, word: u64, line: &[u64; LINE]) -> Self::Sums {
        array(
            #[inline(always)]
            |i| sums[i] + (word & line[i]).count_ones() as i32,
        )
    }
    #[inline(always)]
    fn sub(self, sums: Self::Sums, word: u64, line: &[u64; LINE]) -> Self::Sums {
        array(
            #[inline(always)]
            |i| sums[i] - (word & line[i]).count_ones() as i32,
        )
    }
    #[inline(always)]
    fn sums(self, sums: Self::Sums) -> [i32; LINE] {
        sums
    }
}
