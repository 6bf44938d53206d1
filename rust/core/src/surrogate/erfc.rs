//! The derivative of a complementary error function.

use super::{Surrogate, exp::exp_negative};
use crate::simd::Simd;
use std::f32::consts::PI;

/// `(α/√π)·e^(-α²x²)`, the derivative of `erfc(-α·x)/2`.
#[derive(Clone, Copy, Debug)]
pub struct Erfc {
    alpha: f32,
}

impl Surrogate for Erfc {
    const NAME: &'static str = "erfc";
    const PARAMETERS: &'static [&'static str] = &["alpha"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            alpha: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let scaled = simd.mul(x, simd.splat(self.alpha));
        let exponent = simd.mul(simd.mul(scaled, scaled), simd.splat(-1.0));
        let peak = simd.splat(self.alpha / PI.sqrt());
        simd.mul(peak, exp_negative(simd, exponent))
    }
}
