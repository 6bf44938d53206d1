//! Elementary functions of one number, in double precision.
//!
//! A result that is rounded to single precision afterwards is the nearest single one, or next to it
//! where two are as near but for a billionth. They consist of additions, multiplications, divisions
//! and choices, each rounded as IEEE 754 says, so that every instruction set returns the same bits, and
//! have no branches, so that the compiler makes vectors of them. Arguments are numbers of single
//! precision.

use core::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, FRAC_PI_2, FRAC_PI_4, LN_2, LOG2_E};

/// What makes integers of numbers below 2⁵¹ when it is added: the lowest bits of the sum are those of
/// the nearest integer.
pub(super) const ROUND: f64 = 6_755_399_441_055_744.0;

/// `c[0] + c[1]·x + c[2]·x² + …`
#[inline(always)]
pub(super) fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = 0.0;
    let mut k = N;
    while k > 0 {
        k -= 1;
        sum = sum * x + coefficients[k];
    }
    sum
}

/// `(2ⁿ, e^r - 1)` with `x = n·ln 2 + r` and `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn exponential(x: f64) -> (f64, f64) {
    // Beyond these, the result is 0 or ∞ in single precision. A comparison with NaN keeps it.
    let x = if x < -200.0 { -200.0 } else { x };
    let x = if x > 200.0 { 200.0 } else { x };
    let rounded = x * LOG2_E + ROUND;
    let r = x - (rounded - ROUND) * LN_2;
    // 1/1!, 1/2!, … until the rest is below 10⁻¹³.
    let series = [
        1.0,
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5_040.0,
        1.0 / 40_320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
    ];
    let power = f64::from_bits((rounded.to_bits() << 52).wrapping_add(1.0f64.to_bits()));
    (power, r * polynomial(r, series))
}

/// `e^x`
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let (power, rest) = exponential(x);
    power * rest + power
}

/// `e^x - 1`
#[inline(always)]
pub(crate) fn expm1(x: f64) -> f64 {
    let (power, rest) = exponential(x);
    let result = power * rest + (power - 1.0);
    // The sign of 0.
    if x == 0.0 { x } else { result }
}

/// `ln x + rest` where that is finite; `x` must not be subnormal in double precision.
#[inline(always)]
fn logarithm(x: f64, rest: f64) -> f64 {
    // `x = 2ⁿ·m` with `m` between `√½` and `√2`; `n` is made a float in the way of `ROUND`.
    let above = x.to_bits().wrapping_sub(FRAC_1_SQRT_2.to_bits());
    let exponent = (above >> 52) << 52;
    let m = f64::from_bits(x.to_bits().wrapping_sub(exponent));
    const SHIFT: f64 = 4_503_599_627_370_496.0;
    // 12 bits, the exponent as two's complement.
    let n =
        f64::from_bits((above.wrapping_add(1 << 62) >> 52) | SHIFT.to_bits()) - (SHIFT + 1024.0);
    // ln m = 2·artanh s
    let s = (m - 1.0) / (m + 1.0);
    let series = [
        2.0,
        2.0 / 3.0,
        2.0 / 5.0,
        2.0 / 7.0,
        2.0 / 9.0,
        2.0 / 11.0,
        2.0 / 13.0,
        2.0 / 15.0,
    ];
    let result = n * LN_2 + s * polynomial(s * s, series) + rest;
    let result = if x < f64::INFINITY { result } else { x };
    let result = if x == 0.0 { f64::NEG_INFINITY } else { result };
    if x < 0.0 { f64::NAN } else { result }
}

/// `ln x`
#[inline(always)]
pub(crate) fn log(x: f64) -> f64 {
    logarithm(x, 0.0)
}

/// `ln(1 + x)`
#[inline(always)]
pub(crate) fn log1p(x: f64) -> f64 {
    let sum = 1.0 + x;
    // What rounding the sum has lost.
    let result = logarithm(sum, (x - (sum - 1.0)) / sum);
    if x == 0.0 { x } else { result }
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh(x: f64) -> f64 {
    let x = if x > 20.0 { 20.0 } else { x };
    let e = expm1(2.0 * x);
    e / (e + 2.0)
}

/// The inverse of the tangent.
#[inline(always)]
pub(crate) fn atan(x: f64) -> f64 {
    // Up to 1, then up to tan(π/8), where the series converges fast.
    let size = x.abs();
    let inverted = size > 1.0;
    let t = if inverted { 1.0 / size } else { size };
    let turned = t > 0.414_213_562_373_095_05;
    let u = if turned { (t - 1.0) / (t + 1.0) } else { t };
    let series = [
        1.0,
        -1.0 / 3.0,
        1.0 / 5.0,
        -1.0 / 7.0,
        1.0 / 9.0,
        -1.0 / 11.0,
        1.0 / 13.0,
        -1.0 / 15.0,
        1.0 / 17.0,
        -1.0 / 19.0,
        1.0 / 21.0,
        -1.0 / 23.0,
    ];
    let angle = u * polynomial(u * u, series);
    let angle = if turned { angle + FRAC_PI_4 } else { angle };
    let angle = if inverted { FRAC_PI_2 - angle } else { angle };
    angle.copysign(x)
}

/// The error function, `2/√π ∫₀ˣ e^(-t²) dt`.
#[inline(always)]
pub(crate) fn erf(x: f64) -> f64 {
    // Up to 1 its Taylor series.
    let series = [
        1.0,
        -1.0 / 3.0,
        1.0 / 10.0,
        -1.0 / 42.0,
        1.0 / 216.0,
        -1.0 / 1_320.0,
        1.0 / 9_360.0,
        -1.0 / 75_600.0,
        1.0 / 685_440.0,
        -1.0 / 6_894_720.0,
        1.0 / 76_204_800.0,
        -1.0 / 918_086_400.0,
        1.0 / 11_975_040_000.0,
    ];
    let near = x * (FRAC_2_SQRT_PI * polynomial(x * x, series));
    // Beyond, 1 - e^(-x²)·p(1/(1 + |x|)): p was fitted at nodes of Chebyshev to `erfc(x)·e^(x²)`, to
    // 2·10⁻¹⁰ between 1 and 4, where single precision has reached 1.
    let p = [
        2.561_328_421_796_238_4e-5,
        0.563_308_580_090_424_5,
        0.577_536_511_173_929_1,
        0.165_513_619_381_895_24,
        0.360_410_130_143_452_7,
        -2.980_517_319_216_888_3,
        4.773_979_605_531_378,
        -3.476_102_726_958_281_6,
        1.026_431_231_154_914_4,
    ];
    let size = x.abs();
    let far = 1.0 - exp(-size * size) * polynomial(1.0 / (1.0 + size), p);
    let is_near = size < 1.0;
    if is_near { near } else { far.copysign(x) }
}
