//! A normal density around the threshold.

use super::{Surrogate, exp::exp_negative};
use crate::simd::Simd;

/// `e^(-x²/2σ²) / (σ·√2π)`.
#[derive(Clone, Copy, Debug)]
pub struct Gaussian {
    sigma: f32,
}

impl Surrogate for Gaussian {
    const NAME: &'static str = "gaussian";
    const PARAMETERS: &'static [&'static str] = &["sigma"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            sigma: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let peak = 1.0 / (self.sigma * std::f32::consts::TAU.sqrt());
        let scaled = simd.div(x, simd.splat(self.sigma));
        let exponent = simd.mul(simd.mul(scaled, scaled), simd.splat(-0.5));
        simd.mul(simd.splat(peak), exp_negative(simd, exponent))
    }
}
