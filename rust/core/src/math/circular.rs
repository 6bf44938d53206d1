//! Circular functions of one number, in double precision: as those of `elementary.rs`.

use super::elementary::{ROUND, polynomial};
use core::f64::consts::{FRAC_2_PI, FRAC_PI_2};

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
