//! The fast sigmoid under the name of the learning rule that it comes from.

use super::{FastSigmoid, Surrogate};
use crate::simd::Simd;

/// [`FastSigmoid`] with slope `α`, as SuperSpike has it (Zenke and Ganguli 2018).
#[derive(Clone, Copy, Debug)]
pub struct SuperSpike {
    inside: FastSigmoid,
}

impl Surrogate for SuperSpike {
    const NAME: &'static str = "superspike";
    const PARAMETERS: &'static [&'static str] = &["alpha"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            inside: FastSigmoid::new(parameters),
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        self.inside.derivative(simd, x)
    }
}
