//! The step itself: only neurons that fired pass a gradient.

use super::Surrogate;
use crate::simd::Simd;

/// 1 for `x > 0`, else 0.
#[derive(Clone, Copy, Debug)]
pub struct Heaviside;

impl Surrogate for Heaviside {
    const NAME: &'static str = "heaviside";
    const PARAMETERS: &'static [&'static str] = &[];

    fn new(_: &[f32]) -> Self {
        Self
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        simd.select(
            simd.gt(x, simd.splat(0.0)),
            simd.splat(1.0),
            simd.splat(0.0),
        )
    }
}
