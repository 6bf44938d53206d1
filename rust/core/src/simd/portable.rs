//! Lanes in plain Rust: the definition of what every operation means, and the path of CPUs that
//! no other token knows.

use super::Simd;

const LANES: usize = 8;

/// The token of the baseline CPU.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

/// `[f(0), f(1), …]`, written so that the compiler makes vectors of it: it does so less often of
/// an array that begins uninitialised.
#[inline(always)]
fn lanes<T: Copy, const N: usize>(f: impl Fn(usize) -> T) -> [T; N] {
    let mut out = [f(0); N];
    for (i, lane) in out.iter_mut().enumerate().skip(1) {
        *lane = f(i);
    }
    out
}

#[inline(always)]
fn zip(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    lanes(
        #[inline(always)]
        |i| f(a[i], b[i]),
    )
}

/// [`Simd::compress`] for lanes in memory.
#[inline(always)]
pub(super) fn compress(dst: &mut [f32], mut bits: u64, v: &[f32; LANES]) {
    for dst in dst {
        *dst = v[bits.trailing_zeros() as usize % LANES];
        bits &= bits.wrapping_sub(1);
    }
}

impl Simd for Portable {
    const LANES: usize = LANES;
    // It serves CPUs without kernels of their own, for which code is not doubled.
    const UNROLL: bool = false;
    type F32 = [f32; LANES];
    type Mask = [bool; LANES];
    type I32 = [i32; LANES];
    type I16 = [i16; 2 * LANES];

    #[inline(always)]
    fn vectorize<R>(self, kernel: impl FnOnce() -> R) -> R {
        kernel()
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, src: &[f32]) -> Self::F32 {
        lanes(|i| src[..LANES][i])
    }
    #[inline(always)]
    fn load_partial(self, src: &[f32]) -> Self::F32 {
        lanes(|i| src.get(i).copied().unwrap_or(0.0))
    }
    #[inline(always)]
    fn prefetch(self, _: &[f32]) {}
    #[inline(always)]
    fn store(self, dst: &mut [f32], v: Self::F32) {
        dst[..LANES].copy_from_slice(&v);
    }
    #[inline(always)]
    fn store_partial(self, dst: &mut [f32], v: Self::F32) {
        for (d, x) in dst.iter_mut().zip(v) {
            *d = x;
        }
    }

    #[inline(always)]
    fn compress(self, dst: &mut [f32], bits: u64, v: Self::F32) {
        compress(&mut dst[..LANES], bits, &v);
    }

    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a / b)
    }
    #[cfg(feature = "std")]
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        lanes(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    fn abs(self, a: Self::F32) -> Self::F32 {
        lanes(|i| a[i].abs())
    }
    #[inline(always)]
    fn exp2_integer(self, n: Self::F32) -> Self::F32 {
        // `n + 127` is the biased exponent; the cast saturates, so no lane can overflow.
        lanes(|i| f32::from_bits(((n[i] as i32).wrapping_add(127) as u32) << 23))
    }

    #[inline(always)]
    fn nonzero(self, a: Self::F32) -> Self::Mask {
        lanes(|i| a[i] != 0.0)
    }
    #[inline(always)]
    fn gt(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        lanes(|i| a[i] > b[i])
    }
    #[inline(always)]
    fn ge(self, a: Self::F32, b: Self::F32) -> Self::Mask {
        lanes(|i| a[i] >= b[i])
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, if_true: Self::F32, if_false: Self::F32) -> Self::F32 {
        lanes(|i| if mask[i] { if_true[i] } else { if_false[i] })
    }
    #[inline(always)]
    fn to_bits(self, mask: Self::Mask) -> u64 {
        mask.iter()
            .rev()
            .fold(0, |bits, &lane| bits << 1 | u64::from(lane))
    }
    #[inline(always)]
    fn to_mask(self, bits: u64) -> Self::Mask {
        lanes(|i| bits >> i & 1 == 1)
    }

    #[inline(always)]
    fn splat_i32(self, x: i32) -> Self::I32 {
        [x; LANES]
    }
    #[inline(always)]
    fn load_i32(self, src: &[i32]) -> Self::I32 {
        lanes(|i| src[..LANES][i])
    }
    #[inline(always)]
    fn store_i32(self, dst: &mut [i32], v: Self::I32) {
        dst[..LANES].copy_from_slice(&v);
    }
    #[inline(always)]
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        lanes(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    fn sub_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        lanes(|i| a[i].wrapping_sub(b[i]))
    }
    #[inline(always)]
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        lanes(|i| a[i].wrapping_mul(b[i]))
    }
    #[inline(always)]
    fn and_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        lanes(|i| a[i] & b[i])
    }
    #[inline(always)]
    fn shift_right_i32(self, a: Self::I32, by: u32) -> Self::I32 {
        lanes(|i| a[i] >> (by % 32))
    }
    #[inline(always)]
    fn gt_i32(self, a: Self::I32, b: Self::I32) -> Self::Mask {
        lanes(|i| a[i] > b[i])
    }
    #[inline(always)]
    fn select_i32(self, mask: Self::Mask, if_true: Self::I32, if_false: Self::I32) -> Self::I32 {
        lanes(|i| if mask[i] { if_true[i] } else { if_false[i] })
    }
    #[inline(always)]
    fn to_f32(self, a: Self::I32) -> Self::F32 {
        lanes(|i| a[i] as f32)
    }

    #[inline(always)]
    fn splat_i16(self, pair: [i16; 2]) -> Self::I16 {
        lanes(|i| pair[i % 2])
    }
    #[inline(always)]
    fn load_i16(self, src: &[i16]) -> Self::I16 {
        lanes(|i| src[..2 * LANES][i])
    }
    #[inline(always)]
    fn add_i16(self, a: Self::I16, b: Self::I16) -> Self::I16 {
        lanes(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    fn widen(self, a: Self::I16) -> [Self::I32; 2] {
        [
            lanes(|i| i32::from(a[i])),
            lanes(|i| i32::from(a[LANES + i])),
        ]
    }
    #[inline(always)]
    fn dot(self, a: Self::I16, b: Self::I16) -> Self::I32 {
        let product = |i: usize| i32::from(a[i]) * i32::from(b[i]);
        lanes(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
    }
    #[inline(always)]
    fn load_i8(self, src: &[i8]) -> Self::I16 {
        lanes(|i| i16::from(src[..4 * LANES][2 * i]) & 0xff | i16::from(src[2 * i + 1]) << 8)
    }
    #[inline(always)]
    fn dot_bytes(self, a: Self::I16, b: Self::I16) -> Self::I16 {
        let low = |i: usize| (a[i] & 0xff).wrapping_mul(i16::from(b[i] as i8));
        let high = |i: usize| (a[i] >> 8 & 0xff).wrapping_mul(b[i] >> 8);
        lanes(|i| low(i).wrapping_add(high(i)))
    }
}
