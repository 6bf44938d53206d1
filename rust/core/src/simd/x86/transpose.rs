//! A square of eight by eight numbers in registers of AVX, with rows and columns exchanged.

use crate::simd::array;
use core::arch::x86_64::*;

/// [`transpose_square`](crate::simd::Simd::transpose_square) on a CPU with AVX.
///
/// # Safety
/// The CPU must have AVX, and the caller must be compiled for it.
#[inline(always)]
pub(super) unsafe fn transpose_square(from: [&[f32]; 8], to: &mut [f32], width: usize) {
    let from: [&[f32]; 8] = array(
        #[inline(always)]
        |i| &from[i][..8],
    );
    assert!(
        width >= 8 && to.len() >= 7 * width + 8,
        "the square does not fit"
    );
    // SAFETY: the caller vouches for AVX; each slice of `from` has 8 readable floats, and `to` has
    // room for 8 of them at every multiple of `width` up to the seventh.
    unsafe {
        let [a, b, c, d, e, f, g, h] = array(
            #[inline(always)]
            |i| _mm256_loadu_ps(from[i].as_ptr()),
        );
        // Pairs of numbers, then fours, of the lower halves of the slices and of the upper ones.
        let [ab, cd, ef, gh] = [
            _mm256_unpacklo_ps(a, b),
            _mm256_unpacklo_ps(c, d),
            _mm256_unpacklo_ps(e, f),
            _mm256_unpacklo_ps(g, h),
        ];
        let [ab_high, cd_high, ef_high, gh_high] = [
            _mm256_unpackhi_ps(a, b),
            _mm256_unpackhi_ps(c, d),
            _mm256_unpackhi_ps(e, f),
            _mm256_unpackhi_ps(g, h),
        ];
        let fours = [
            [
                _mm256_shuffle_ps::<0x44>(ab, cd),
                _mm256_shuffle_ps::<0x44>(ef, gh),
            ],
            [
                _mm256_shuffle_ps::<0xee>(ab, cd),
                _mm256_shuffle_ps::<0xee>(ef, gh),
            ],
            [
                _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
                _mm256_shuffle_ps::<0x44>(ef_high, gh_high),
            ],
            [
                _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
                _mm256_shuffle_ps::<0xee>(ef_high, gh_high),
            ],
        ];
        let to = to.as_mut_ptr();
        for (i, [first, second]) in fours.into_iter().enumerate() {
            let low = _mm256_permute2f128_ps::<0x20>(first, second);
            let high = _mm256_permute2f128_ps::<0x31>(first, second);
            _mm256_storeu_ps(to.add(i * width), low);
            _mm256_storeu_ps(to.add((i + 4) * width), high);
        }
    }
}
