//! No surrogate: nothing flows back through the spike.

use super::Surrogate;
use crate::simd::Simd;

/// 0 everywhere, as the step's own derivative.
#[derive(Clone, Copy, Debug)]
pub struct Disabled;

impl Surrogate for Disabled {
    const NAME: &'static str = "disabled";
    const PARAMETERS: &'static [&'static str] = &[];

    fn new(_: &[f32]) -> Self {
        Self
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, _: S::F32) -> S::F32 {
        simd.splat(0.0)
    }
}
