//! The derivative of `x / (1 + k|x|)`.

use super::Surrogate;
use crate::simd::Simd;

/// `1 / (1 + k·|x|)²` (Zenke and Ganguli 2018).
#[derive(Clone, Copy, Debug)]
pub struct FastSigmoid {
    slope: f32,
}

impl Surrogate for FastSigmoid {
    const NAME: &'static str = "fast_sigmoid";
    const PARAMETERS: &'static [&'static str] = &["slope"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            slope: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let root = simd.add(
            simd.mul(simd.abs(x), simd.splat(self.slope)),
            simd.splat(1.0),
        );
        simd.div(simd.splat(1.0), simd.mul(root, root))
    }
}
