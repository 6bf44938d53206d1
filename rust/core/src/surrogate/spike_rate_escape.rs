//! The escape rate of a noisy neuron.

use super::{Surrogate, exp::exp_negative};
use crate::simd::Simd;

/// `k·e^(-β·|x - 1|)`; its peak lies one above threshold, as in snnTorch.
#[derive(Clone, Copy, Debug)]
pub struct SpikeRateEscape {
    beta: f32,
    slope: f32,
}

impl Surrogate for SpikeRateEscape {
    const NAME: &'static str = "spike_rate_escape";
    const PARAMETERS: &'static [&'static str] = &["beta", "slope"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            beta: parameters[0],
            slope: parameters[1],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let distance = simd.abs(simd.sub(x, simd.splat(1.0)));
        let e = exp_negative(simd, simd.mul(distance, simd.splat(-self.beta)));
        simd.mul(simd.splat(self.slope), e)
    }
}
