//! The derivative of a hyperbolic tangent.

use super::{Surrogate, exp::exp_negative};
use crate::simd::Simd;

/// `1 - tanh²(α·x)` as `4·e/(1 + e)²` with `e = exp(-2α·|x|)`, which keeps its digits where the
/// tangent is nearly 1.
#[derive(Clone, Copy, Debug)]
pub struct Tanh {
    alpha: f32,
}

impl Surrogate for Tanh {
    const NAME: &'static str = "tanh";
    const PARAMETERS: &'static [&'static str] = &["alpha"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            alpha: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let e = exp_negative(simd, simd.mul(simd.abs(x), simd.splat(-2.0 * self.alpha)));
        let root = simd.add(simd.splat(1.0), e);
        simd.div(simd.mul(simd.splat(4.0), e), simd.mul(root, root))
    }
}
