//! The derivative of a logistic function.

use super::{Surrogate, exp::exp_negative};
use crate::simd::Simd;

/// `k·e/(1 + e)²` with `e = exp(-k·|x|)`: the logistic derivative in the form that cannot overflow.
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid {
    slope: f32,
}

impl Surrogate for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const PARAMETERS: &'static [&'static str] = &["slope"];

    fn new(parameters: &[f32]) -> Self {
        Self {
            slope: parameters[0],
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let e = exp_negative(simd, simd.mul(simd.abs(x), simd.splat(-self.slope)));
        let root = simd.add(simd.splat(1.0), e);
        simd.div(simd.mul(simd.splat(self.slope), e), simd.mul(root, root))
    }
}
