//! One step of any neuron: integrate, fire, reset. Forward runs it, and backward runs it again to
//! recompute the membrane, so both see the same bits.
//!
//! The arithmetic is snnTorch's, operation by operation. Its products with a flag that is 0 or 1
//! become selections between the two possible products (`0·θ` is computed, not assumed: it is
//! `-0` for a negative and NaN for an infinite threshold), which gives the same bits for less.

use super::{Mechanism, Neuron, Reset};
use crate::simd::Simd;

/// What firing and reset need to know, for one vector of neurons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FiringLanes<S: Simd, N: Neuron> {
    pub(crate) parameters: N::Parameters<S>,
    pub(crate) threshold: S::F32,
    /// What a reset subtracts: `θ`, `β·θ` or 0.
    amount: S::F32,
    /// `0·amount`: what is subtracted where there is no reset.
    no_amount: S::F32,
    /// What a reset multiplies the membrane by: 0 for "zero", else 1.
    keep: S::F32,
}

impl<S: Simd, N: Neuron> FiringLanes<S, N> {
    #[inline(always)]
    pub(crate) fn new(
        simd: S,
        reset: Reset,
        parameters: N::Parameters<S>,
        threshold: S::F32,
    ) -> Self {
        let amount = match reset.mechanism {
            Mechanism::Subtract => threshold,
            Mechanism::SubtractBeta => simd.mul(N::decay(parameters), threshold),
            Mechanism::Zero | Mechanism::None => simd.splat(0.0),
        };
        let keep = simd.splat(if reset.mechanism == Mechanism::Zero {
            0.0
        } else {
            1.0
        });
        let no_amount = simd.mul(simd.splat(0.0), amount);
        Self {
            parameters,
            threshold,
            amount,
            no_amount,
            keep,
        }
    }

    /// `keep` where a reset acts, else 1, times `x`.
    #[inline(always)]
    pub(crate) fn kept(&self, simd: S, reset: S::Mask, x: S::F32) -> S::F32 {
        simd.select(reset, simd.mul(self.keep, x), x)
    }
}

/// What one step computes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<S: Simd, N: Neuron> {
    /// The states with the membrane as it is compared with the threshold.
    pub(crate) fired_from: N::State<S>,
    /// Who fired.
    pub(crate) fired: S::Mask,
    /// The states as they enter the next step.
    pub(crate) state: N::State<S>,
}

/// The membrane: the last of the states.
#[inline(always)]
pub(crate) fn membrane<S: Simd, N: Neuron>(state: &mut N::State<S>) -> &mut S::F32 {
    &mut state.as_mut()[N::STATES.len() - 1]
}

/// Integrates, fires and resets one vector of neurons.
#[inline(always)]
pub(crate) fn step<S: Simd, N: Neuron, const IMMEDIATE: bool>(
    simd: S,
    mechanism: Mechanism,
    lanes: &FiringLanes<S, N>,
    mut state: N::State<S>,
    current: S::F32,
) -> Step<S, N> {
    let reset = simd.gt(*membrane::<S, N>(&mut state), lanes.threshold);
    if N::ZERO_KEEPS_INPUT {
        let u = membrane::<S, N>(&mut state);
        *u = lanes.kept(simd, reset, *u);
    }
    let mut integrated = N::integrate(simd, lanes.parameters, state, current);
    let u = membrane::<S, N>(&mut integrated);
    if !N::ZERO_KEEPS_INPUT {
        *u = lanes.kept(simd, reset, *u);
    }
    *u = simd.sub(*u, simd.select(reset, lanes.amount, lanes.no_amount));
    let fired = simd.gt(*u, lanes.threshold);

    let mut state = integrated;
    if IMMEDIATE {
        let u = membrane::<S, N>(&mut state);
        let again = difference(simd, mechanism, fired, reset);
        *u = match mechanism {
            Mechanism::Subtract => simd.sub(*u, simd.mul(again, lanes.threshold)),
            Mechanism::Zero => simd.sub(*u, simd.mul(again, *u)),
            // `Layer::check` refuses the second.
            Mechanism::None | Mechanism::SubtractBeta => *u,
        };
    }
    Step {
        fired_from: integrated,
        fired,
        state,
    }
}

/// `D = S - R`: what an immediate reset still has to do, given that the delayed rule has acted on
/// `R`. Under "zero" a silent neuron is left alone (snnTorch would double its membrane).
#[inline(always)]
pub(crate) fn difference<S: Simd>(
    simd: S,
    mechanism: Mechanism,
    fired: S::Mask,
    reset: S::Mask,
) -> S::F32 {
    let (one, zero) = (simd.splat(1.0), simd.splat(0.0));
    let difference = simd.sub(simd.select(fired, one, zero), simd.select(reset, one, zero));
    match mechanism {
        Mechanism::Zero => simd.select(fired, difference, zero),
        _ => difference,
    }
}
