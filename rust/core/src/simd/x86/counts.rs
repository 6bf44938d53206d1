//! Counting bits with vectors: by a table of nibbles in AVX2, by an instruction in AVX-512 VPOPCNTDQ.

use super::{Avx2, Avx512};
use crate::simd::counts::{CountBits, LINE};
use crate::simd::{Simd, array};
use core::arch::x86_64::*;

impl CountBits for Avx2 {
    const LINES: usize = 1;
    type Sums = [__m256i; 2];

    #[inline(always)]
    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R {
        Simd::vectorize(self, kernel)
    }
    registers! {
        zero() -> [__m256i; 2] = [_mm256_setzero_si256(); 2];
    }
    #[inline(always)]
    fn add(self, sums: [__m256i; 2], word: u64, line: &[u64; LINE]) -> [__m256i; 2] {
        let counts = met(self, word, line);
        array(
            #[inline(always)]
            // SAFETY: the token proves AVX2; registers only.
            |half| unsafe { _mm256_add_epi64(sums[half], counts[half]) },
        )
    }
    #[inline(always)]
    fn sub(self, sums: [__m256i; 2], word: u64, line: &[u64; LINE]) -> [__m256i; 2] {
        let counts = met(self, word, line);
        array(
            #[inline(always)]
            // SAFETY: the token proves AVX2; registers only.
            |half| unsafe { _mm256_sub_epi64(sums[half], counts[half]) },
        )
    }
    #[inline(always)]
    fn sums(self, sums: [__m256i; 2]) -> [i32; LINE] {
        let mut wide = [0_u64; LINE];
        for (half, &sums) in wide.chunks_exact_mut(4).zip(&sums) {
            // SAFETY: the token proves AVX2; `half` has room for four words.
            unsafe { _mm256_storeu_si256(half.as_mut_ptr().cast(), sums) };
        }
        wide.map(|sum| sum as i32)
    }
}

/// `pop(word & line)` of each word.
#[inline(always)]
fn met(_: Avx2, word: u64, line: &[u64; LINE]) -> [__m256i; 2] {
    array(
        #[inline(always)]
        |half| {
            let words = &line[4 * half..4 * half + 4];
            // SAFETY: the token proves AVX2; `words` are four readable words.
            unsafe {
                let words = _mm256_loadu_si256(words.as_ptr().cast());
                let met = _mm256_and_si256(words, _mm256_set1_epi64x(word as i64));
                #[rustfmt::skip]
                let table = _mm256_setr_epi8(
                    0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                    0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                );
                let nibble = _mm256_set1_epi8(15);
                let low = _mm256_and_si256(met, nibble);
                let high = _mm256_and_si256(_mm256_srli_epi16(met, 4), nibble);
                let of_low = _mm256_shuffle_epi8(table, low);
                let of_bytes = _mm256_add_epi8(of_low, _mm256_shuffle_epi8(table, high));
                _mm256_sad_epu8(of_bytes, _mm256_setzero_si256())
            }
        },
    )
}

/// Proof that the CPU has AVX-512 VPOPCNTDQ, and what [`Avx512`] proves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512Counts(());

impl Avx512Counts {
    /// The token, if the CPU has the instructions.
    pub(super) fn detect() -> Option<Self> {
        (Avx512::detect().is_some() && is_x86_feature_detected!("avx512vpopcntdq"))
            .then_some(Self(()))
    }
}

impl CountBits for Avx512Counts {
    const LINES: usize = 2;
    type Sums = __m512i;

    #[inline(always)]
    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R {
        #[target_feature(
            enable = "avx512vpopcntdq,avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt"
        )]
        fn enabled<R>(kernel: impl FnOnce() -> R) -> R {
            kernel()
        }
        // SAFETY: the token proves that the CPU has these features.
        unsafe { enabled(kernel) }
    }
    registers! {
        zero() -> __m512i = _mm512_setzero_si512();
    }
    #[inline(always)]
    fn add(self, sums: __m512i, word: u64, line: &[u64; LINE]) -> __m512i {
        // SAFETY: the token proves AVX-512 and VPOPCNTDQ; `line` has eight readable words.
        unsafe {
            let line = _mm512_loadu_si512(line.as_ptr().cast());
            let met = _mm512_and_si512(line, _mm512_set1_epi64(word as i64));
            _mm512_add_epi64(sums, _mm512_popcnt_epi64(met))
        }
    }
    #[inline(always)]
    fn sub(self, sums: __m512i, word: u64, line: &[u64; LINE]) -> __m512i {
        // SAFETY: as for `add`.
        unsafe {
            let line = _mm512_loadu_si512(line.as_ptr().cast());
            let met = _mm512_and_si512(line, _mm512_set1_epi64(word as i64));
            _mm512_sub_epi64(sums, _mm512_popcnt_epi64(met))
        }
    }
    #[inline(always)]
    fn sums(self, sums: __m512i) -> [i32; LINE] {
        let mut out = [0; LINE];
        // SAFETY: the token proves AVX-512; `out` has room for eight numbers of 32 bits.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi64_epi32(sums)) };
        out
    }
}
