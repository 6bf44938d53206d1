//! The logistic function, with the bits that torch has where it computes with vectors.

use crate::simd::Simd;
use core::f32::consts::LOG2_E;

/// `1 / (1 + e^-x)`
///
/// The exponential is that of the SLEEF library with an error of one unit (N. Shibata and F. Petrogalli,
/// IEEE Trans. Parallel Distrib. Syst. 31, 2020), which torch calls on CPUs with AVX2 or AVX-512: reduced by
/// two parts of `ln 2`, and a polynomial of degree 7, with fused multiplications.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    const LN_2_HIGH: f32 = 0.693_145_75;
    const LN_2_LOW: f32 = 1.428_606_8e-6;
    const POLYNOMIAL: [f32; 5] = [
        1.393_043_6e-3,
        8.333_361e-3,
        0.041_666_485,
        0.166_666_67,
        0.5,
    ];
    const HIGHEST_POWER: f32 = 1.985_276_2e-4;
    // The nearest integer is what remains when this is added and subtracted.
    const ROUND: f32 = 12_582_912.0;
    // Below, the sum with 1 is 1; above, it is infinite. A comparison with NaN is false and keeps it.
    const LOWEST: f32 = -80.0;
    const HIGHEST: f32 = 89.0;

    let one = simd.splat(1.0);
    let (lowest, highest) = (simd.splat(LOWEST), simd.splat(HIGHEST));
    let x = simd.sub(simd.splat(0.0), x);
    let x = simd.select(simd.gt(lowest, x), lowest, x);
    let x = simd.select(simd.gt(x, highest), highest, x);

    let rounded = simd.add(simd.mul(x, simd.splat(LOG2_E)), simd.splat(ROUND));
    let n = simd.sub(rounded, simd.splat(ROUND));
    let r = simd.mul_add(n, simd.splat(-LN_2_HIGH), x);
    let r = simd.mul_add(n, simd.splat(-LN_2_LOW), r);
    let mut sum = simd.splat(HIGHEST_POWER);
    for coefficient in POLYNOMIAL {
        sum = simd.mul_add(sum, r, simd.splat(coefficient));
    }
    let sum = simd.add(one, simd.mul_add(simd.mul(r, r), sum, r));
    // 2ⁿ alone may be no number where the result is one: half of it is.
    let half = simd.exp2_integer(simd.sub(rounded, simd.splat(ROUND + 1.0)));
    let exponential = simd.mul(simd.add(sum, sum), half);
    simd.div(one, simd.add(one, exponential))
}
