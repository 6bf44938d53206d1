//! One step of any neuron: integrate, fire, reset. Forward runs it, and backward runs it again to
//! recompute the membrane, so both see the same bits.

use super::reset::Amounts;
use super::{Current, Delayed, Mechanism, Neuron, membrane};
use crate::simd::Simd;

/// What firing and reset need to know, for one vector of neurons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FiringLanes<S: Simd, N: Neuron> {
    pub(crate) parameters: N::Parameters<S>,
    pub(crate) threshold: S::F32,
    mechanism: Mechanism,
    amounts: Amounts<S>,
}

impl<S: Simd, N: Neuron> FiringLanes<S, N> {
    #[inline(always)]
    pub(crate) fn new(
        simd: S,
        mechanism: Mechanism,
        parameters: N::Parameters<S>,
        threshold: S::F32,
    ) -> Self {
        let decay = N::DECAY.map(
            #[inline(always)]
            |k| parameters.as_ref()[k],
        );
        Self {
            parameters,
            threshold,
            mechanism,
            amounts: Amounts::new(simd, mechanism, decay, threshold),
        }
    }

    /// The delayed reset of the step that these states enter.
    #[inline(always)]
    pub(crate) fn delayed(&self, simd: S, entered: N::State<S>) -> Delayed<S> {
        Delayed {
            mechanism: self.mechanism,
            flag: simd.gt(N::level(simd, self.parameters, entered), self.threshold),
            threshold: self.threshold,
            amounts: self.amounts,
        }
    }

    /// Who fires at this level.
    #[inline(always)]
    pub(crate) fn fires(&self, simd: S, reset: &Delayed<S>, level: S::F32) -> S::Mask {
        let level = self.unless_still_above(simd, reset, level, f32::NEG_INFINITY);
        simd.gt(level, self.threshold)
    }

    /// `x`; `otherwise` for neurons that fire on crossing and were above threshold before.
    #[inline(always)]
    pub(crate) fn unless_still_above(
        &self,
        simd: S,
        reset: &Delayed<S>,
        x: S::F32,
        otherwise: f32,
    ) -> S::F32 {
        if N::ON_CROSSING {
            simd.select(reset.flag, simd.splat(otherwise), x)
        } else {
            x
        }
    }
}

/// What one step computes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<S: Simd, N: Neuron> {
    /// The states as they are compared with the threshold.
    pub(crate) fired_from: N::State<S>,
    /// Who fired.
    pub(crate) fired: S::Mask,
    /// The states as they enter the next step.
    pub(crate) state: N::State<S>,
}

/// Integrates, fires and resets one vector of neurons, the latter in the same step if `immediate`.
#[inline(always)]
pub(crate) fn step<S: Simd, N: Neuron>(
    simd: S,
    lanes: &FiringLanes<S, N>,
    state: N::State<S>,
    current: Current<S>,
    immediate: bool,
) -> Step<S, N> {
    let reset = lanes.delayed(simd, state);
    let integrated = N::integrate(simd, &reset, lanes.parameters, state, current);
    let level = N::level(simd, lanes.parameters, integrated);
    let fired = lanes.fires(simd, &reset, level);

    let mut state = integrated;
    if immediate {
        let u = membrane::<S, N>(&mut state);
        *u = reset.at_once(simd, *u, fired);
    }
    Step {
        fired_from: integrated,
        fired,
        state,
    }
}
