//! The derivative of an arctangent.

use super::Surrogate;
use crate::simd::Simd;
use std::f32::consts::FRAC_PI_2;

/// `(α/2) / (1 + (π·α·x/2)²)`: the derivative of `arctan(π·α·x/2)/π`.
#[derive(Clone, Copy, Debug)]
pub struct Atan {
    alpha: f32,
}

impl Surrogate for Atan {
    const NAME: &'static str = "atan";
    const PARAMETERS: &'static [&'static str] = &["alpha"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            alpha: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let y = simd.mul(x, simd.splat(FRAC_PI_2 * self.alpha));
        let denominator = simd.add(simd.mul(y, y), simd.splat(1.0));
        simd.div(simd.splat(self.alpha / 2.0), denominator)
    }
}
