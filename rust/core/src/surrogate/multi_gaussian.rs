//! A normal density between two shallow negative lobes.

use super::{Gaussian, Surrogate};
use crate::simd::Simd;

/// `(1+h)·N(x; 0, σ) - h·N(x; -σ, s·σ) - h·N(x; σ, s·σ)` (Yin, Corradi and Bohté 2021), where `N`
/// is [`Gaussian`].
#[derive(Clone, Copy, Debug)]
pub struct MultiGaussian {
    h: f32,
    sigma: f32,
    narrow: Gaussian,
    wide: Gaussian,
}

impl Surrogate for MultiGaussian {
    const NAME: &'static str = "multi_gaussian";
    const PARAMETERS: &'static [&'static str] = &["h", "s", "sigma"];

    fn new(parameters: &[f32]) -> Self {
        let [h, s, sigma] = [parameters[0], parameters[1], parameters[2]];
        Self {
            h,
            sigma,
            narrow: Gaussian::new(&[sigma]),
            wide: Gaussian::new(&[s * sigma]),
        }
    }

    #[inline(always)]
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let sigma = simd.splat(self.sigma);
        let peak = self.narrow.derivative(simd, x);
        let lobes = simd.add(
            self.wide.derivative(simd, simd.add(x, sigma)),
            self.wide.derivative(simd, simd.sub(x, sigma)),
        );
        simd.sub(
            simd.mul(simd.splat(1.0 + self.h), peak),
            simd.mul(simd.splat(self.h), lobes),
        )
    }
}
