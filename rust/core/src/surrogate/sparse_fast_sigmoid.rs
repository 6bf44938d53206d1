//! The fast sigmoid inside a window: outside it the gradient is exactly 0.

use super::{FastSigmoid, Surrogate};
use crate::simd::Simd;

/// [`FastSigmoid`] where `|x| < B`, else 0 (Perez-Nieves and Goodman 2021).
#[derive(Clone, Copy, Debug)]
pub struct SparseFastSigmoid {
    inside: FastSigmoid,
    window: f32,
}

impl Surrogate for SparseFastSigmoid {
    const NAME: &'static str = "sparse_fast_sigmoid";
    const PARAMETERS: &'static [&'static str] = &["slope", "B"];
    const COMPACT: bool = true;

    fn new(parameters: &[f32]) -> Self {
        Self {
            inside: FastSigmoid::new(&parameters[..1]),
            window: parameters[1],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let inside = simd.gt(simd.splat(self.window), simd.abs(x));
        simd.select(inside, self.inside.derivative(simd, x), simd.splat(0.0))
    }
}
