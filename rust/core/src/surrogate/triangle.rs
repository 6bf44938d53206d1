//! A triangle around the threshold.

use super::Surrogate;
use crate::simd::Simd;

/// `max(0, 1 - |x|/w) / w`.
#[derive(Clone, Copy, Debug)]
pub struct Triangle {
    width: f32,
}

impl Surrogate for Triangle {
    const NAME: &'static str = "triangle";
    const PARAMETERS: &'static [&'static str] = &["width"];
    const COMPACT: bool = true;

    fn new(parameters: &[f32]) -> Self {
        Self {
            width: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let width = simd.splat(self.width);
        let height = simd.div(
            simd.sub(simd.splat(1.0), simd.div(simd.abs(x), width)),
            width,
        );
        simd.select(simd.gt(width, simd.abs(x)), height, simd.splat(0.0))
    }
}
