//! Surrogate gradients: what stands in for the derivative of the firing step in the backward pass.
//!
//! A neuron fires where `x = u - θ` is above 0. The derivative of that step is 0 almost
//! everywhere, so training replaces it by a [`Surrogate::derivative`] of `x`. One file per
//! surrogate; [`crate::registry`] lists them.

mod atan;
mod boxcar;
mod disabled;
mod erfc;
mod exp;
mod fast_sigmoid;
mod gaussian;
mod heaviside;
mod leaky_spike_operator;
mod multi_gaussian;
mod piecewise_exp;
mod piecewise_quadratic;
mod sigmoid;
mod sparse_fast_sigmoid;
mod spike_rate_escape;
mod straight_through_estimator;
mod superspike;
mod tanh;
mod triangle;
mod triangular;

pub use atan::Atan;
pub use boxcar::Boxcar;
pub use disabled::Disabled;
pub use erfc::Erfc;
pub use fast_sigmoid::FastSigmoid;
pub use gaussian::Gaussian;
pub use heaviside::Heaviside;
pub use leaky_spike_operator::LeakySpikeOperator;
pub use multi_gaussian::MultiGaussian;
pub use piecewise_exp::PiecewiseExp;
pub use piecewise_quadratic::PiecewiseQuadratic;
pub use sigmoid::Sigmoid;
pub use sparse_fast_sigmoid::SparseFastSigmoid;
pub use spike_rate_escape::SpikeRateEscape;
pub use straight_through_estimator::StraightThroughEstimator;
pub use superspike::SuperSpike;
pub use tanh::Tanh;
pub use triangle::Triangle;
pub use triangular::Triangular;

use crate::simd::Simd;
use std::fmt::Debug;

/// A derivative used in place of that of the firing step.
pub trait Surrogate: Copy + Debug + Send + Sync + 'static {
    /// Its name in the registry.
    const NAME: &'static str;
    /// The names of its parameters, in the order in which [`new`](Self::new) takes them.
    const PARAMETERS: &'static [&'static str];

    /// Whether the derivative is exactly 0 outside of a window, so that few neurons pass a gradient.
    const COMPACT: bool = false;

    /// The surrogate with these parameters; `parameters` is as long as [`Self::PARAMETERS`].
    fn new(parameters: &[f32]) -> Self;

    /// The derivative at `x = u - θ`.
    fn derivative<S: Simd>(self, simd: S, x: S::F32) -> S::F32;
}
