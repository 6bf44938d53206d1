//! An exponential density on each side of the threshold.

use super::{Surrogate, exp::exp_negative};
use crate::simd::Simd;

/// `(α/2)·e^(-α·|x|)` (Shrestha and Orchard 2018).
#[derive(Clone, Copy, Debug)]
pub struct PiecewiseExp {
    alpha: f32,
}

impl Surrogate for PiecewiseExp {
    const NAME: &'static str = "piecewise_exp";
    const PARAMETERS: &'static [&'static str] = &["alpha"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            alpha: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let e = exp_negative(simd, simd.mul(simd.abs(x), simd.splat(-self.alpha)));
        simd.mul(simd.splat(self.alpha / 2.0), e)
    }
}
