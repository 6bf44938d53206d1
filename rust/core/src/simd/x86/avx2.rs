//! Eight lanes of AVX2.

use super::joined::joined;
use super::prefetch::prefetch;
use super::transpose::transpose_square;
use crate::simd::Simd;
use core::arch::x86_64::*;

/// Proof that the CPU has AVX2, FMA, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// The token, if the CPU has the instructions.
    #[must_use]
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt"))
        .then_some(Self(()))
    }

    /// Lane masks for partial loads and stores: the first `count` lanes.
    #[inline(always)]
    fn first_lanes(self, count: usize) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe {
            let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count.min(8) as i32), lane)
        }
    }
}

/// For each set of lanes, which lane goes where when they move side by side.
const SIDE_BY_SIDE: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut bits = 0;
    while bits < 256 {
        let (mut lane, mut place) = (0, 0);
        while lane < 8 {
            if bits >> lane & 1 == 1 {
                table[bits][place] = lane as u8;
                place += 1;
            }
            lane += 1;
        }
        bits += 1;
    }
    table
};

impl Simd for Avx2 {
    const LANES: usize = 8;
    type F32 = __m256;
    type Mask = __m256;
    type I32 = __m256i;
    type I16 = __m256i;

    #[inline(always)]
    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
        fn enabled<R>(kernel: impl FnOnce() -> R) -> R {
            kernel()
        }
        // SAFETY: the token proves that the CPU has these features.
        unsafe { enabled(kernel) }
    }

    #[inline(always)]
    fn load(self, src: &[f32]) -> __m256 {
        let src = &src[..8];
        // SAFETY: the token proves AVX2; `src` has 8 readable floats.
        unsafe { _mm256_loadu_ps(src.as_ptr()) }
    }
    #[inline(always)]
    fn load_partial(self, src: &[f32]) -> __m256 {
        // SAFETY: the token proves AVX2; only lanes below `src.len()` are read.
        unsafe { _mm256_maskload_ps(src.as_ptr(), self.first_lanes(src.len())) }
    }
    #[inline(always)]
    fn prefetch(self, src: &[f32]) {
        prefetch(src);
    }
    #[inline(always)]
    fn store(self, dst: &mut [f32], v: __m256) {
        let dst = &mut dst[..8];
        // SAFETY: the token proves AVX2; `dst` has room for 8 floats.
        unsafe { _mm256_storeu_ps(dst.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn stream(self, dst: &mut [f32], v: __m256) {
        let dst = &mut dst[..8];
        if !dst.as_ptr().addr().is_multiple_of(32) {
            return self.store(dst, v);
        }
        // SAFETY: the token proves AVX2; `dst` has room for 8 floats and is aligned; `drain`
        // orders these stores before what follows.
        unsafe { _mm256_stream_ps(dst.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn drain(self) {
        // SAFETY: every x86-64 CPU has SSE; a fence touches no memory.
        unsafe { _mm_sfence() }
    }
    #[inline(always)]
    fn store_partial(self, dst: &mut [f32], v: __m256) {
        // SAFETY: the token proves AVX2; only lanes below `dst.len()` are written.
        unsafe { _mm256_maskstore_ps(dst.as_mut_ptr(), self.first_lanes(dst.len()), v) }
    }

    #[inline(always)]
    fn compress(self, dst: &mut [f32], bits: u64, v: __m256) {
        let dst = &mut dst[..8];
        let lanes = &SIDE_BY_SIDE[(bits & 0xff) as usize];
        // SAFETY: the token proves AVX2; `lanes` has 8 readable bytes, and `dst` room for 8 floats.
        unsafe {
            let lanes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(lanes.as_ptr().cast()));
            _mm256_storeu_ps(dst.as_mut_ptr(), _mm256_permutevar8x32_ps(v, lanes));
        }
    }

    #[inline(always)]
    fn transpose_square(self, from: [&[f32]; 8], to: &mut [f32], width: usize) {
        // SAFETY: the token proves AVX2, which has AVX.
        unsafe { transpose_square(from, to, width) }
    }

    #[inline(always)]
    fn load_i32(self, src: &[i32]) -> __m256i {
        let src = &src[..8];
        // SAFETY: the token proves AVX2; `src` has 8 readable integers.
        unsafe { _mm256_loadu_si256(src.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_i32(self, dst: &mut [i32], v: __m256i) {
        let dst = &mut dst[..8];
        // SAFETY: the token proves AVX2; `dst` has room for 8 integers.
        unsafe { _mm256_storeu_si256(dst.as_mut_ptr().cast(), v) }
    }
    #[inline(always)]
    fn load_i16(self, src: &[i16]) -> __m256i {
        let src = &src[..16];
        // SAFETY: the token proves AVX2; `src` has 16 readable integers.
        unsafe { _mm256_loadu_si256(src.as_ptr().cast()) }
    }
    #[inline(always)]
    fn load_i8(self, src: &[i8]) -> __m256i {
        let src = &src[..32];
        // SAFETY: the token proves AVX2; `src` has 32 readable bytes.
        unsafe { _mm256_loadu_si256(src.as_ptr().cast()) }
    }

    registers! {
        splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        abs(a: __m256) -> __m256 = _mm256_andnot_ps(_mm256_set1_ps(-0.0), a);
        exp2_integer(n: __m256) -> __m256 = {
            let exponent = _mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        };
        nonzero(a: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, _mm256_setzero_ps());
        gt(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_GT_OQ>(a, b);
        ge(a: __m256, b: __m256) -> __m256 = _mm256_cmp_ps::<_CMP_GE_OQ>(a, b);
        select(mask: __m256, if_true: __m256, if_false: __m256) -> __m256 =
            _mm256_blendv_ps(if_false, if_true, mask);
        to_bits(mask: __m256) -> u64 = _mm256_movemask_ps(mask) as u64;
        to_mask(bits: u64) -> __m256 = {
            let lane_bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let set = _mm256_and_si256(_mm256_set1_epi32((bits & 0xff) as i32), lane_bit);
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lane_bit))
        };
        splat_i32(x: i32) -> __m256i = _mm256_set1_epi32(x);
        add_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi32(a, b);
        sub_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_sub_epi32(a, b);
        mul_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_mullo_epi32(a, b);
        and_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_and_si256(a, b);
        shift_right_i32(a: __m256i, by: u32) -> __m256i =
            _mm256_sra_epi32(a, _mm_cvtsi32_si128((by % 32) as i32));
        gt_i32(a: __m256i, b: __m256i) -> __m256 = _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b));
        select_i32(mask: __m256, if_true: __m256i, if_false: __m256i) -> __m256i =
            _mm256_blendv_epi8(if_false, if_true, _mm256_castps_si256(mask));
        to_f32(a: __m256i) -> __m256 = _mm256_cvtepi32_ps(a);
        splat_i16(pair: [i16; 2]) -> __m256i = _mm256_set1_epi32(joined(pair));
        add_i16(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi16(a, b);
        widen(a: __m256i) -> [__m256i; 2] = [
            _mm256_cvtepi16_epi32(_mm256_castsi256_si128(a)),
            _mm256_cvtepi16_epi32(_mm256_extracti128_si256::<1>(a)),
        ];
        dot(a: __m256i, b: __m256i) -> __m256i = _mm256_madd_epi16(a, b);
        dot_bytes(a: __m256i, b: __m256i) -> __m256i = _mm256_maddubs_epi16(a, b);
    }
}
