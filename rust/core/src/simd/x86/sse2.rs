//! Eight lanes of SSE2, in two registers: the baseline of x86-64.
//!
//! As many lanes as [`Portable`](crate::simd::Portable) has, which the compiler would make the same
//! instructions of, but only after it has unrolled thousands of loops over eight numbers.

use super::joined::joined;
use super::prefetch::prefetch;
use crate::simd::Simd;
use crate::simd::portable::compress;
use core::arch::x86_64::*;

/// The token of any x86-64.
#[derive(Clone, Copy, Debug)]
pub struct Sse2;

/// Two registers, the lower lanes first.
type Pair = [__m128; 2];
/// The same of integers.
type Integers = [__m128i; 2];

/// Lanes of a register.
const HALF: usize = 4;

/// The first four numbers; missing ones are 0.
#[inline(always)]
fn load_half(src: &[f32]) -> __m128 {
    let [a, b, c, d] = match *src {
        [] => [0.0; HALF],
        [a] => [a, 0.0, 0.0, 0.0],
        [a, b] => [a, b, 0.0, 0.0],
        [a, b, c] => [a, b, c, 0.0],
        [a, b, c, d, ..] => [a, b, c, d],
    };
    // SAFETY: every x86-64 has SSE2.
    unsafe { _mm_setr_ps(a, b, c, d) }
}

/// [`dot_bytes`](Simd::dot_bytes) of half a vector.
#[inline(always)]
fn dot_of_bytes(a: __m128i, b: __m128i) -> __m128i {
    // SAFETY: every x86-64 has SSE2; these touch registers only.
    unsafe {
        let low = _mm_mullo_epi16(
            _mm_and_si128(a, _mm_set1_epi16(0xff)),
            _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(b)),
        );
        let high = _mm_mullo_epi16(_mm_srli_epi16::<8>(a), _mm_srai_epi16::<8>(b));
        _mm_add_epi16(low, high)
    }
}

/// The lower halves of four products: SSE2 multiplies two at a time.
#[inline(always)]
fn lower_product(a: __m128i, b: __m128i) -> __m128i {
    // SAFETY: every x86-64 has SSE2.
    unsafe {
        let even = _mm_mul_epu32(a, b);
        let odd = _mm_mul_epu32(_mm_srli_si128::<4>(a), _mm_srli_si128::<4>(b));
        let [even, odd] = [even, odd].map(|x| _mm_shuffle_epi32::<0b1000>(x));
        _mm_unpacklo_epi32(even, odd)
    }
}

/// `a·b + c` of numbers that were single precision, rounded so that rounding to single precision again
/// gives what one rounding would: to the neighbour whose last bit is 1, unless it is exact (S. Boldo and
/// G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd",
/// 2008).
#[inline(always)]
fn sum_to_odd(a: __m128d, b: __m128d, c: __m128d) -> __m128d {
    // SAFETY: every x86-64 has SSE2; these touch registers only.
    unsafe {
        let product = _mm_mul_pd(a, b);
        let sum = _mm_add_pd(product, c);
        let of_c = _mm_sub_pd(sum, product);
        let of_product = _mm_sub_pd(sum, of_c);
        let lost = _mm_add_pd(_mm_sub_pd(product, of_product), _mm_sub_pd(c, of_c));
        // Away from zero or towards it; of an infinite or NaN sum, nothing is lost that compares.
        let (direction, zero) = (_mm_mul_pd(lost, sum), _mm_setzero_pd());
        let [away, towards] = [_mm_cmpgt_pd(direction, zero), _mm_cmplt_pd(direction, zero)]
            .map(|mask| _mm_castpd_si128(mask));
        let bits = _mm_castpd_si128(sum);
        let one = _mm_set_epi32(0, 1, 0, 1);
        let is_even = _mm_sub_epi64(_mm_and_si128(bits, one), one);
        let by = _mm_and_si128(_mm_sub_epi64(towards, away), is_even);
        _mm_castsi128_pd(_mm_add_epi64(bits, by))
    }
}

/// `a·b + c` of half a vector, rounded once.
#[inline(always)]
fn fused(a: __m128, b: __m128, c: __m128) -> __m128 {
    // SAFETY: every x86-64 has SSE2; these touch registers only.
    unsafe {
        let low = [a, b, c].map(|x| _mm_cvtps_pd(x));
        let high = [a, b, c].map(|x| _mm_cvtps_pd(_mm_movehl_ps(x, x)));
        let [low, high] = [low, high].map(|[a, b, c]| _mm_cvtpd_ps(sum_to_odd(a, b, c)));
        _mm_movelh_ps(low, high)
    }
}

impl Simd for Sse2 {
    const LANES: usize = 2 * HALF;
    // Few CPUs lack AVX2: their code is not doubled.
    const UNROLL: bool = false;
    type F32 = Pair;
    type Mask = Pair;
    type I32 = Integers;
    type I16 = Integers;

    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R {
        kernel()
    }

    #[inline(always)]
    fn load(self, src: &[f32]) -> Pair {
        let src = &src[..Self::LANES];
        let (low, high) = src.split_at(HALF);
        // SAFETY: every x86-64 has SSE2; each half has 4 readable floats.
        unsafe { [_mm_loadu_ps(low.as_ptr()), _mm_loadu_ps(high.as_ptr())] }
    }
    // A call, because SSE2 has no partial loads: what stands in for them is not compiled everywhere.
    #[inline(never)]
    fn load_partial(self, src: &[f32]) -> Pair {
        let (low, high) = src.split_at(src.len().min(HALF));
        [load_half(low), load_half(high)]
    }
    #[inline(always)]
    fn prefetch(self, src: &[f32]) {
        prefetch(src);
    }
    #[inline(always)]
    fn store(self, dst: &mut [f32], v: Pair) {
        let (low, high) = dst[..Self::LANES].split_at_mut(HALF);
        // SAFETY: every x86-64 has SSE2; each half has room for 4 floats.
        unsafe {
            _mm_storeu_ps(low.as_mut_ptr(), v[0]);
            _mm_storeu_ps(high.as_mut_ptr(), v[1]);
        }
    }
    #[inline(never)]
    fn store_partial(self, dst: &mut [f32], v: Pair) {
        let mut lanes = [0.0; Self::LANES];
        self.store(&mut lanes, v);
        let count = dst.len().min(Self::LANES);
        dst[..count].copy_from_slice(&lanes[..count]);
    }

    #[inline(always)]
    fn compress(self, dst: &mut [f32], bits: u64, v: Pair) {
        let mut lanes = [0.0; Self::LANES];
        self.store(&mut lanes, v);
        compress(&mut dst[..Self::LANES], bits, &lanes);
    }

    // A call, because SSE2 has no such instruction: what stands in for it is not compiled everywhere.
    #[inline(never)]
    fn mul_add(self, a: Pair, b: Pair, c: Pair) -> Pair {
        [fused(a[0], b[0], c[0]), fused(a[1], b[1], c[1])]
    }

    #[inline(always)]
    fn load_i32(self, src: &[i32]) -> Integers {
        let (low, high) = src[..Self::LANES].split_at(HALF);
        // SAFETY: every x86-64 has SSE2; each half has 4 readable integers.
        unsafe { [low, high].map(|half| _mm_loadu_si128(half.as_ptr().cast())) }
    }
    #[inline(always)]
    fn store_i32(self, dst: &mut [i32], v: Integers) {
        let (low, high) = dst[..Self::LANES].split_at_mut(HALF);
        // SAFETY: every x86-64 has SSE2; each half has room for 4 integers.
        unsafe {
            _mm_storeu_si128(low.as_mut_ptr().cast(), v[0]);
            _mm_storeu_si128(high.as_mut_ptr().cast(), v[1]);
        }
    }
    #[inline(always)]
    fn mul_i32(self, a: Integers, b: Integers) -> Integers {
        [lower_product(a[0], b[0]), lower_product(a[1], b[1])]
    }
    #[inline(always)]
    fn load_i16(self, src: &[i16]) -> Integers {
        let (low, high) = src[..2 * Self::LANES].split_at(2 * HALF);
        // SAFETY: every x86-64 has SSE2; each half has 8 readable integers.
        unsafe { [low, high].map(|half| _mm_loadu_si128(half.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_i8(self, src: &[i8]) -> Integers {
        let (low, high) = src[..4 * Self::LANES].split_at(4 * HALF);
        // SAFETY: every x86-64 has SSE2; each half has 16 readable bytes.
        unsafe { [low, high].map(|half| _mm_loadu_si128(half.as_ptr().cast())) }
    }
    #[inline(always)]
    fn dot_bytes(self, a: Integers, b: Integers) -> Integers {
        [dot_of_bytes(a[0], b[0]), dot_of_bytes(a[1], b[1])]
    }

    registers! {
        splat(x: f32) -> Pair = [_mm_set1_ps(x); 2];
        add(a: Pair, b: Pair) -> Pair = [_mm_add_ps(a[0], b[0]), _mm_add_ps(a[1], b[1])];
        sub(a: Pair, b: Pair) -> Pair = [_mm_sub_ps(a[0], b[0]), _mm_sub_ps(a[1], b[1])];
        mul(a: Pair, b: Pair) -> Pair = [_mm_mul_ps(a[0], b[0]), _mm_mul_ps(a[1], b[1])];
        div(a: Pair, b: Pair) -> Pair = [_mm_div_ps(a[0], b[0]), _mm_div_ps(a[1], b[1])];
        abs(a: Pair) -> Pair = {
            let sign = _mm_set1_ps(-0.0);
            [_mm_andnot_ps(sign, a[0]), _mm_andnot_ps(sign, a[1])]
        };
        exp2_integer(n: Pair) -> Pair = {
            let bias = _mm_set1_epi32(127);
            let low = _mm_add_epi32(_mm_cvttps_epi32(n[0]), bias);
            let high = _mm_add_epi32(_mm_cvttps_epi32(n[1]), bias);
            [
                _mm_castsi128_ps(_mm_slli_epi32::<23>(low)),
                _mm_castsi128_ps(_mm_slli_epi32::<23>(high)),
            ]
        };
        nonzero(a: Pair) -> Pair = {
            let zero = _mm_setzero_ps();
            [_mm_cmpneq_ps(a[0], zero), _mm_cmpneq_ps(a[1], zero)]
        };
        gt(a: Pair, b: Pair) -> Pair = [_mm_cmpgt_ps(a[0], b[0]), _mm_cmpgt_ps(a[1], b[1])];
        ge(a: Pair, b: Pair) -> Pair = [_mm_cmpge_ps(a[0], b[0]), _mm_cmpge_ps(a[1], b[1])];
        select(mask: Pair, if_true: Pair, if_false: Pair) -> Pair = [
            _mm_or_ps(_mm_and_ps(mask[0], if_true[0]), _mm_andnot_ps(mask[0], if_false[0])),
            _mm_or_ps(_mm_and_ps(mask[1], if_true[1]), _mm_andnot_ps(mask[1], if_false[1])),
        ];
        to_bits(mask: Pair) -> u64 =
            (_mm_movemask_ps(mask[0]) | _mm_movemask_ps(mask[1]) << HALF) as u64;
        to_mask(bits: u64) -> Pair = {
            let bits = _mm_set1_epi32((bits & 0xff) as i32);
            let (low, high) = (_mm_setr_epi32(1, 2, 4, 8), _mm_setr_epi32(16, 32, 64, 128));
            let (in_low, in_high) = (_mm_and_si128(bits, low), _mm_and_si128(bits, high));
            [
                _mm_castsi128_ps(_mm_cmpeq_epi32(in_low, low)),
                _mm_castsi128_ps(_mm_cmpeq_epi32(in_high, high)),
            ]
        };
        splat_i32(x: i32) -> Integers = [_mm_set1_epi32(x); 2];
        add_i32(a: Integers, b: Integers) -> Integers =
            [_mm_add_epi32(a[0], b[0]), _mm_add_epi32(a[1], b[1])];
        sub_i32(a: Integers, b: Integers) -> Integers =
            [_mm_sub_epi32(a[0], b[0]), _mm_sub_epi32(a[1], b[1])];
        and_i32(a: Integers, b: Integers) -> Integers =
            [_mm_and_si128(a[0], b[0]), _mm_and_si128(a[1], b[1])];
        shift_right_i32(a: Integers, by: u32) -> Integers = {
            let by = _mm_cvtsi32_si128((by % 32) as i32);
            [_mm_sra_epi32(a[0], by), _mm_sra_epi32(a[1], by)]
        };
        gt_i32(a: Integers, b: Integers) -> Pair = [
            _mm_castsi128_ps(_mm_cmpgt_epi32(a[0], b[0])),
            _mm_castsi128_ps(_mm_cmpgt_epi32(a[1], b[1])),
        ];
        select_i32(mask: Pair, if_true: Integers, if_false: Integers) -> Integers = {
            let [low, high] = [_mm_castps_si128(mask[0]), _mm_castps_si128(mask[1])];
            [
                _mm_or_si128(_mm_and_si128(low, if_true[0]), _mm_andnot_si128(low, if_false[0])),
                _mm_or_si128(_mm_and_si128(high, if_true[1]), _mm_andnot_si128(high, if_false[1])),
            ]
        };
        to_f32(a: Integers) -> Pair = [_mm_cvtepi32_ps(a[0]), _mm_cvtepi32_ps(a[1])];
        splat_i16(pair: [i16; 2]) -> Integers = [_mm_set1_epi32(joined(pair)); 2];
        add_i16(a: Integers, b: Integers) -> Integers =
            [_mm_add_epi16(a[0], b[0]), _mm_add_epi16(a[1], b[1])];
        widen(a: Integers) -> [Integers; 2] = [
            // Each integer twice; the upper one keeps its sign when it is shifted down.
            [
                _mm_srai_epi32::<16>(_mm_unpacklo_epi16(a[0], a[0])),
                _mm_srai_epi32::<16>(_mm_unpackhi_epi16(a[0], a[0])),
            ],
            [
                _mm_srai_epi32::<16>(_mm_unpacklo_epi16(a[1], a[1])),
                _mm_srai_epi32::<16>(_mm_unpackhi_epi16(a[1], a[1])),
            ],
        ];
        dot(a: Integers, b: Integers) -> Integers =
            [_mm_madd_epi16(a[0], b[0]), _mm_madd_epi16(a[1], b[1])];
    }
}
