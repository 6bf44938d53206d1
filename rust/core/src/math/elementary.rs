//! Elementary functions of one number, in double precision.
//!
//! A result that is rounded to single precision afterwards is the nearest single one, or next to it
//! where two are as near but for a billionth. They consist of additions, multiplications, divisions
//! and choices, each rounded as IEEE 754 says, so that every instruction set returns the same bits, and
//! have no branches, so that the compiler makes vectors of them. Arguments are numbers of single
//! precision.

use core::f64::consts::{
    FRAC_1_SQRT_2, FRAC_2_PI, FRAC_2_SQRT_PI, FRAC_PI_2, FRAC_PI_4, LN_2, LOG2_E,
};

/// What makes integers of numbers below 2⁵¹ when it is added: the lowest bits of the sum are those of
/// the nearest integer.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// `c[0] + c[1]·x + c[2]·x² + …`
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
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

/// `1 / (1 + e^-x)`
#[inline(always)]
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// An angle as `(r, q)`: the angle is `r + q·π/2` but for whole turns, and `|r| ≤ π/4`.
pub(crate) type Angle = (f64, u64);

/// Arguments of [`angle`] are no further from 0 than this; [`far_angle`] takes the others.
pub(crate) const NEAR: f32 = 131_072.0;

/// The angle of a number up to [`NEAR`].
#[inline(always)]
pub(crate) fn angle(x: f64) -> Angle {
    // The first 32 bits of π/2, whose product with a quadrant's number is exact, and the rest.
    const HIGH: f64 = 1.570_796_326_734_125_6;
    const LOW: f64 = 6.077_100_506_506_192e-11;
    let rounded = x * FRAC_2_PI + ROUND;
    let n = rounded - ROUND;
    ((x - n * HIGH) - n * LOW, rounded.to_bits())
}

/// The angle of a finite number beyond [`NEAR`], from those bits of `2/π` that its exponent asks for
/// (Payne and Hanek, 1983).
pub(crate) fn far_angle(x: f32) -> Angle {
    /// 64 bits before the point and those behind it of `2/π`.
    const TWO_OVER_PI: [u64; 5] = [
        0,
        0xa2f9_836e_4e44_1529,
        0xfc27_57d1_f534_ddc0,
        0xdb62_9599_3c43_9041,
        0xfe51_63ab_debb_c561,
    ];
    // `|x| = mantissa·2^(exponent - 150)`. A bit of `2/π` whose product with that is 2² or more stands
    // for whole turns: 128 bits behind those are enough.
    let exponent = (x.to_bits() >> 23 & 0xff) as usize;
    let mantissa = u128::from(x.to_bits() & 0x7f_ffff | 0x80_0000);
    let start = 64 + exponent - 152;
    let word = |i: usize| u128::from(TWO_OVER_PI[start / 64 + i]);
    let window = word(0) << 64 | word(1);
    let window = match start % 64 {
        0 => window,
        shift => window << shift | word(2) >> (64 - shift),
    };
    // Quarter turns, 2 bits before the point and 126 behind it.
    let turned = mantissa.wrapping_mul(window);
    let quadrant = (turned.wrapping_add(1 << 125) >> 126) as u64;
    let rest = turned.wrapping_sub(u128::from(quadrant) << 126) as i128;
    let r = rest as f64 / (1u128 << 126) as f64 * FRAC_PI_2;
    if x < 0.0 {
        (-r, quadrant.wrapping_neg())
    } else {
        (r, quadrant)
    }
}

/// The sine of `r`.
#[inline(always)]
fn near_sine(r: f64) -> f64 {
    let series = [
        1.0,
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5_040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
    ];
    r * polynomial(r * r, series)
}

/// The cosine of `r`.
#[inline(always)]
fn near_cosine(r: f64) -> f64 {
    let series = [
        1.0,
        -1.0 / 2.0,
        1.0 / 24.0,
        -1.0 / 720.0,
        1.0 / 40_320.0,
        -1.0 / 3_628_800.0,
        1.0 / 479_001_600.0,
    ];
    polynomial(r * r, series)
}

/// The sine of an angle.
#[inline(always)]
pub(crate) fn sin((r, quadrant): Angle) -> f64 {
    let (s, c) = (near_sine(r), near_cosine(r));
    let result = if quadrant & 1 == 0 { s } else { c };
    if quadrant & 2 == 0 { result } else { -result }
}

/// The cosine of an angle.
#[inline(always)]
pub(crate) fn cos((r, quadrant): Angle) -> f64 {
    sin((r, quadrant.wrapping_add(1)))
}

/// The tangent of an angle.
#[inline(always)]
pub(crate) fn tan((r, quadrant): Angle) -> f64 {
    let (s, c) = (near_sine(r), near_cosine(r));
    let (above, below) = if quadrant & 1 == 0 { (s, c) } else { (-c, s) };
    above / below
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
