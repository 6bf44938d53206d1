//! The derivative of two parabolas: a triangle, given by its height.

use super::Surrogate;
use crate::simd::Simd;

/// `max(0, α - α²·|x|)` (Esser et al. 2016).
#[derive(Clone, Copy, Debug)]
pub struct PiecewiseQuadratic {
    alpha: f32,
}

impl Surrogate for PiecewiseQuadratic {
    const NAME: &'static str = "piecewise_quadratic";
    const PARAMETERS: &'static [&'static str] = &["alpha"];
    const COMPACT: bool = true;

    fn new(parameters: &[f32]) -> Self {
        Self {
            alpha: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let fall = simd.mul(simd.abs(x), simd.splat(self.alpha * self.alpha));
        let height = simd.sub(simd.splat(self.alpha), fall);
        let zero = simd.splat(0.0);
        simd.select(simd.gt(zero, height), zero, height)
    }
}
