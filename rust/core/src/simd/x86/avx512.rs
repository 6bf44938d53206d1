//! Sixteen lanes of AVX-512.

use super::joined::joined;
use super::prefetch::prefetch;
use super::transpose::transpose_square;
use crate::simd::Simd;
use core::arch::x86_64::*;

/// Proof that the CPU has AVX-512 F, BW, DQ and VL, and what [`super::Avx2`] proves.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx512 {
    /// The token, if the CPU has the instructions.
    #[must_use]
    pub fn detect() -> Option<Self> {
        (super::Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl"))
        .then_some(Self(()))
    }
}

/// The first `count` lanes.
#[inline(always)]
fn first_lanes(count: usize) -> __mmask16 {
    ((1u32 << count.min(16)) - 1) as __mmask16
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    type F32 = __m512;
    type Mask = __mmask16;
    type I32 = __m512i;
    type I16 = __m512i;

    #[inline(always)]
    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn enabled<R>(kernel: impl FnOnce() -> R) -> R {
            kernel()
        }
        // SAFETY: the token proves that the CPU has these features.
        unsafe { enabled(kernel) }
    }

    #[inline(always)]
    fn load(self, src: &[f32]) -> __m512 {
        let src = &src[..16];
        // SAFETY: the token proves AVX-512; `src` has 16 readable floats.
        unsafe { _mm512_loadu_ps(src.as_ptr()) }
    }
    #[inline(always)]
    fn load_partial(self, src: &[f32]) -> __m512 {
        // SAFETY: the token proves AVX-512; only lanes below `src.len()` are read.
        unsafe { _mm512_maskz_loadu_ps(first_lanes(src.len()), src.as_ptr()) }
    }
    #[inline(always)]
    fn prefetch(self, src: &[f32]) {
        prefetch(src);
    }
    #[inline(always)]
    fn store(self, dst: &mut [f32], v: __m512) {
        let dst = &mut dst[..16];
        // SAFETY: the token proves AVX-512; `dst` has room for 16 floats.
        unsafe { _mm512_storeu_ps(dst.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn stream(self, dst: &mut [f32], v: __m512) {
        let dst = &mut dst[..16];
        if !dst.as_ptr().addr().is_multiple_of(64) {
            return self.store(dst, v);
        }
        // SAFETY: the token proves AVX-512; `dst` has room for 16 floats and is aligned; `drain`
        // orders these stores before what follows.
        unsafe { _mm512_stream_ps(dst.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn drain(self) {
        // SAFETY: every x86-64 CPU has SSE; a fence touches no memory.
        unsafe { _mm_sfence() }
    }
    #[inline(always)]
    fn store_partial(self, dst: &mut [f32], v: __m512) {
        // SAFETY: the token proves AVX-512; only lanes below `dst.len()` are written.
        unsafe { _mm512_mask_storeu_ps(dst.as_mut_ptr(), first_lanes(dst.len()), v) }
    }

    #[inline(always)]
    fn compress(self, dst: &mut [f32], bits: u64, v: __m512) {
        let dst = &mut dst[..16];
        // In a register first: compressing to memory is slow on some CPUs.
        // SAFETY: the token proves AVX-512; `dst` has room for 16 floats.
        unsafe {
            let side_by_side = _mm512_maskz_compress_ps(bits as __mmask16, v);
            _mm512_storeu_ps(dst.as_mut_ptr(), side_by_side);
        }
    }

    #[inline(always)]
    fn transpose_square(self, from: [&[f32]; 8], to: &mut [f32], width: usize) {
        // SAFETY: the token proves AVX-512, which has AVX.
        unsafe { transpose_square(from, to, width) }
    }

    #[inline(always)]
    fn load_i32(self, src: &[i32]) -> __m512i {
        let src = &src[..16];
        // SAFETY: the token proves AVX-512; `src` has 16 readable integers.
        unsafe { _mm512_loadu_si512(src.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_i32(self, dst: &mut [i32], v: __m512i) {
        let dst = &mut dst[..16];
        // SAFETY: the token proves AVX-512; `dst` has room for 16 integers.
        unsafe { _mm512_storeu_si512(dst.as_mut_ptr().cast(), v) }
    }
    #[inline(always)]
    fn load_i16(self, src: &[i16]) -> __m512i {
        let src = &src[..32];
        // SAFETY: the token proves AVX-512; `src` has 32 readable integers.
        unsafe { _mm512_loadu_si512(src.as_ptr().cast()) }
    }
    #[inline(always)]
    fn load_i8(self, src: &[i8]) -> __m512i {
        let src = &src[..64];
        // SAFETY: the token proves AVX-512; `src` has 64 readable bytes.
        unsafe { _mm512_loadu_si512(src.as_ptr().cast()) }
    }

    registers! {
        splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        abs(a: __m512) -> __m512 = _mm512_abs_ps(a);
        exp2_integer(n: __m512) -> __m512 = {
            let exponent = _mm512_add_epi32(_mm512_cvttps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        };
        nonzero(a: __m512) -> __mmask16 =
            _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, _mm512_setzero_ps());
        gt(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b);
        ge(a: __m512, b: __m512) -> __mmask16 = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b);
        select(mask: __mmask16, if_true: __m512, if_false: __m512) -> __m512 =
            _mm512_mask_blend_ps(mask, if_false, if_true);
        splat_i32(x: i32) -> __m512i = _mm512_set1_epi32(x);
        add_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi32(a, b);
        sub_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_sub_epi32(a, b);
        mul_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_mullo_epi32(a, b);
        and_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_and_si512(a, b);
        shift_right_i32(a: __m512i, by: u32) -> __m512i =
            _mm512_sra_epi32(a, _mm_cvtsi32_si128((by % 32) as i32));
        gt_i32(a: __m512i, b: __m512i) -> __mmask16 = _mm512_cmpgt_epi32_mask(a, b);
        select_i32(mask: __mmask16, if_true: __m512i, if_false: __m512i) -> __m512i =
            _mm512_mask_blend_epi32(mask, if_false, if_true);
        to_f32(a: __m512i) -> __m512 = _mm512_cvtepi32_ps(a);
        splat_i16(pair: [i16; 2]) -> __m512i = _mm512_set1_epi32(joined(pair));
        add_i16(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi16(a, b);
        widen(a: __m512i) -> [__m512i; 2] = [
            _mm512_cvtepi16_epi32(_mm512_castsi512_si256(a)),
            _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64::<1>(a)),
        ];
        dot(a: __m512i, b: __m512i) -> __m512i = _mm512_madd_epi16(a, b);
        dot_bytes(a: __m512i, b: __m512i) -> __m512i = _mm512_maddubs_epi16(a, b);
    }

    #[inline(always)]
    fn to_bits(self, mask: __mmask16) -> u64 {
        u64::from(mask)
    }
    #[inline(always)]
    fn to_mask(self, bits: u64) -> __mmask16 {
        bits as __mmask16
    }
}
