//! The step with a small slope below threshold.

use super::Surrogate;
use crate::simd::Simd;

/// 1 for `x > 0`, else `slope`.
#[derive(Clone, Copy, Debug)]
pub struct LeakySpikeOperator {
    slope: f32,
}

impl Surrogate for LeakySpikeOperator {
    const NAME: &'static str = "leaky_spike_operator";
    const PARAMETERS: &'static [&'static str] = &["slope"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            slope: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        simd.select(
            simd.gt(x, simd.splat(0.0)),
            simd.splat(1.0),
            simd.splat(self.slope),
        )
    }
}
