//! The gradient passes as if the spike were the membrane itself.

use super::Surrogate;
use crate::simd::Simd;

/// 1 everywhere (Bengio et al. 2013).
#[derive(Clone, Copy, Debug)]
pub struct StraightThroughEstimator;

impl Surrogate for StraightThroughEstimator {
    const NAME: &'static str = "straight_through_estimator";
    const PARAMETERS: &'static [&'static str] = &[];

    fn new(_: &[f32]) -> Self {
        Self
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, _: S::F32) -> S::F32 {
        simd.splat(1.0)
    }
}
