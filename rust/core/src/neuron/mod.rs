//! Neurons: what happens at a step.
//!
//! One step of every neuron is *reset and integrate → fire*. Firing (`level > θ`, strictly) is the
//! same for all and lives once, in `step.rs`, and so does the immediate reset; the pieces of the
//! delayed reset are in `reset.rs`. A neuron supplies its equation, [`Neuron::integrate`], and its
//! adjoint, one file per neuron. [`crate::registry`] lists them.

mod adex;
mod alif;
mod alpha;
mod cuba_lif;
mod current;
mod delta_leaky;
mod eif;
mod exponential;
mod gates;
mod hodgkin_huxley;
mod izhikevich;
mod klif;
mod lapicque;
mod leaky;
mod plif;
mod qif;
mod refractory_leaky;
mod reset;
mod resonate_and_fire;
mod step;
mod synaptic;

pub use adex::AdEx;
pub use alif::Alif;
pub use alpha::Alpha;
pub use cuba_lif::CubaLif;
pub use current::Current;
pub use delta_leaky::DeltaLeaky;
pub use eif::Eif;
pub use hodgkin_huxley::HodgkinHuxley;
pub use izhikevich::Izhikevich;
pub use klif::Klif;
pub use lapicque::Lapicque;
pub use leaky::Leaky;
pub use plif::Plif;
pub use qif::Qif;
pub use refractory_leaky::RefractoryLeaky;
pub use reset::{Delayed, Mechanism, Reset};
pub use resonate_and_fire::ResonateAndFire;
pub(crate) use step::{FiringLanes, Step, step};
pub use synaptic::Synaptic;

use crate::simd::{Simd, array};
use core::fmt::Debug;

/// The equation of a neuron, for `S::LANES` neurons at once.
///
/// Its last state is the membrane: the one that an immediate reset acts on, and which is compared
/// with the threshold unless [`level`](Self::level) says otherwise.
pub trait Neuron: Copy + Debug + Send + Sync + 'static {
    /// Its name in the registry.
    const NAME: &'static str;
    /// The names of its parameters, in order.
    const PARAMETERS: &'static [&'static str];
    /// The names of its states, in order; the last is the membrane.
    const STATES: &'static [&'static str];
    /// The resets that it offers.
    const RESETS: &'static [Mechanism];
    /// Whether a reset may also act within the step that fires.
    const IMMEDIATE: bool = false;
    /// Which parameter is the membrane's decay per step, by which [`Mechanism::SubtractBeta`] scales.
    const DECAY: Option<usize> = None;
    /// Whether the gradient of its current is a filtered one, as long as nothing erases the membrane,
    /// its only state: that of a step is what its own spike sends, the *error*, and
    /// [`DECAY`](Self::DECAY) times that of the step after. A test of the registry sees to it.
    const FILTERS: bool = false;
    /// Whether it fires only as its level rises through the threshold, not as long as it is above.
    const ON_CROSSING: bool = false;
    /// Whether a spike changes the states of the next step beyond the reset, as an adaptation does:
    /// by so much it is no constant to the gradient, see [`adaptation`](Self::adaptation). It then
    /// neither resets at once nor fires on crossing.
    const ADAPTS: bool = false;
    /// Whether there are recurrent layers of it: they are loops of their own to compile. Its adjoint
    /// may not depend on the values of the current (a test of the registry sees to it): backward has
    /// those of recurrent layers no longer.
    const RECURRENT: bool = false;
    /// Whether full tiles have loops of their own, unrolled over their vectors. Not worth its code
    /// for an equation of hundreds of instructions.
    const UNROLL: bool = true;
    /// Whether full tiles have further loops for layers whose neurons share all constants and reset by
    /// subtraction: these stay in registers. Worth its code for what most networks consist of.
    const PLAIN: bool = false;

    /// One vector per parameter.
    type Parameters<S: Simd>: Vectors<S>;
    /// One vector per state.
    type State<S: Simd>: Vectors<S>;

    /// The states after one step of this input, with the delayed reset of the spike before.
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        parameters: Self::Parameters<S>,
        state: Self::State<S>,
        current: Current<S>,
    ) -> Self::State<S>;

    /// The adjoint of [`integrate`](Self::integrate) at `state` and `current`, for the gradient
    /// `delta` of its result. The reset's flag is a constant.
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        parameters: Self::Parameters<S>,
        state: Self::State<S>,
        current: Current<S>,
        delta: Self::State<S>,
    ) -> Adjoint<S, Self>;

    /// The gradient of the spike before, beyond the reset, for that of the states.
    #[inline(always)]
    fn adaptation<S: Simd>(simd: S, _delta: Self::State<S>) -> S::F32 {
        simd.splat(0.0)
    }

    /// What is compared with the threshold.
    #[inline(always)]
    fn level<S: Simd>(_: S, _parameters: Self::Parameters<S>, mut state: Self::State<S>) -> S::F32 {
        *membrane::<S, Self>(&mut state)
    }

    /// The adjoint of [`level`](Self::level) at `state`, for its gradient: added to that of the
    /// states, `delta`, and to that of the parameters.
    #[inline(always)]
    fn level_adjoint<S: Simd>(
        simd: S,
        _parameters: Self::Parameters<S>,
        _state: Self::State<S>,
        gradient: S::F32,
        delta: &mut Self::State<S>,
        _to_parameters: &mut Self::Parameters<S>,
    ) {
        let u = membrane::<S, Self>(delta);
        *u = simd.add(*u, gradient);
    }
}

/// The membrane: the last of the states.
#[inline(always)]
pub(crate) fn membrane<S: Simd, N: Neuron>(state: &mut N::State<S>) -> &mut S::F32 {
    &mut state.as_mut()[N::STATES.len() - 1]
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
    /// This step's share of the gradient of the threshold, by way of the reset.
    pub threshold: S::F32,
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
