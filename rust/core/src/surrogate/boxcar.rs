//! A rectangle around the threshold.

use super::Surrogate;
use crate::simd::Simd;

/// `1/(2w)` for `|x| < w`, else 0.
#[derive(Clone, Copy, Debug)]
pub struct Boxcar {
    width: f32,
}

impl Surrogate for Boxcar {
    const NAME: &'static str = "boxcar";
    const PARAMETERS: &'static [&'static str] = &["width"];
    const COMPACT: bool = true;

    fn new(parameters: &[f32]) -> Self {
        Self {
            width: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let inside = simd.gt(simd.splat(self.width), simd.abs(x));
        simd.select(inside, simd.splat(0.5 / self.width), simd.splat(0.0))
    }
}
