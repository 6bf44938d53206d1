//! Neurons: what happens between two spikes.
//!
//! One step of every neuron is *integrate → fire → reset*. Firing (`u > θ`, strictly) and
//! [`Reset`] are the same for all and live once, in `step.rs`; a neuron supplies only
//! [`Neuron::integrate`] and its adjoint, one file per neuron. [`crate::registry`] lists them.

mod leaky;
mod reset;
mod step;

pub use leaky::Leaky;
pub use reset::{Mechanism, Reset};
pub(crate) use step::{FiringLanes, difference, membrane, step};

use crate::simd::{Simd, array};
use std::fmt::Debug;

/// The equation of a neuron, for `S::LANES` neurons at once.
///
/// Its last state is the membrane: the one that is compared with the threshold and reset.
pub trait Neuron: Copy + Debug + Send + Sync + 'static {
    /// Its name in the registry.
    const NAME: &'static str;
    /// The names of its parameters, in order.
    const PARAMETERS: &'static [&'static str];
    /// The names of its states, in order; the last is the membrane.
    const STATES: &'static [&'static str];
    /// Whether "zero" erases only what the membrane was before this step (true), or the present
    /// input with it (false).
    const ZERO_KEEPS_INPUT: bool;

    /// One vector per parameter.
    type Parameters<S: Simd>: Vectors<S>;
    /// One vector per state.
    type State<S: Simd>: Vectors<S>;

    /// The states after one step of this input, before firing and reset.
    fn integrate<S: Simd>(
        simd: S,
        parameters: Self::Parameters<S>,
        state: Self::State<S>,
        current: S::F32,
    ) -> Self::State<S>;

    /// The adjoint of [`integrate`](Self::integrate) at `state`, for the gradient `delta` of its
    /// result.
    fn adjoint<S: Simd>(
        simd: S,
        parameters: Self::Parameters<S>,
        state: Self::State<S>,
        delta: Self::State<S>,
    ) -> Adjoint<S, Self>;

    /// The membrane's decay per step, which scales the reset of [`Mechanism::SubtractBeta`].
    fn decay<S: Simd>(parameters: Self::Parameters<S>) -> S::F32;

    /// Which parameter [`decay`](Self::decay) is.
    const DECAY: usize;
}

/// What [`Neuron::adjoint`] returns.
#[derive(Clone, Copy, Debug)]
pub struct Adjoint<S: Simd, N: Neuron> {
    /// Gradient of the input current.
    pub current: S::F32,
    /// Gradient of the states before the step.
    pub state: N::State<S>,
    /// This step's share of the gradient of the parameters.
    pub parameters: N::Parameters<S>,
}

/// A fixed number of vectors: `[S::F32; n]`.
pub trait Vectors<S: Simd>: Copy + Debug + AsRef<[S::F32]> + AsMut<[S::F32]> {
    /// One vector per index.
    fn from_fn(f: impl FnMut(usize) -> S::F32) -> Self;
}

impl<S: Simd, const N: usize> Vectors<S> for [S::F32; N] {
    #[inline(always)]
    fn from_fn(f: impl FnMut(usize) -> S::F32) -> Self {
        array(f)
    }
}
