//! snnTorch's `triangular`, which is no triangle: its sign flips at threshold.

use super::Surrogate;
use crate::simd::Simd;

/// `threshold` for `x < 0`, `-threshold` for `x ≥ 0`; [`super::Triangle`] is the triangle.
#[derive(Clone, Copy, Debug)]
pub struct Triangular {
    threshold: f32,
}

impl Surrogate for Triangular {
    const NAME: &'static str = "triangular";
    const PARAMETERS: &'static [&'static str] = &["threshold"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            threshold: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let below = simd.gt(simd.splat(0.0), x);
        simd.select(
            below,
            simd.splat(self.threshold),
            simd.splat(-self.threshold),
        )
    }
}
