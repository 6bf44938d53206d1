//! One step of one vector of neurons, backward: the adjoint of [`step`](crate::neuron::step).
//!
//! The reset flag of the delayed rule is a constant to the gradient, as in snnTorch; the spike of
//! the immediate rule is not.
//!
//! Notation, per neuron and step: `s̄` and `ū` are the gradients of the spike and of the membrane
//! that the step leaves, `h` the surrogate's derivative at `V - θ`, where `V` is the membrane as it
//! was compared with the threshold; `R` and `H` are the flags of the delayed reset and of the spike.

use crate::neuron::{Current, FiringLanes, Mechanism, Neuron, Vectors, membrane};
use crate::simd::Simd;

/// The gradients that a vector of neurons carries from step to step.
#[derive(Clone, Copy)]
pub(crate) struct Carry<S: Simd, N: Neuron> {
    pub(crate) state: N::State<S>,
    pub(crate) parameters: N::Parameters<S>,
    pub(crate) threshold: S::F32,
    pub(crate) graded_factor: S::F32,
    /// Of the spike before, by what it adapts.
    pub(crate) spike: S::F32,
}

/// What reaches a spike from above.
#[derive(Clone, Copy)]
pub(crate) struct Spike<S: Simd> {
    /// `s̄`
    pub(crate) gradient: S::F32,
    /// `γ`
    pub(crate) graded: S::F32,
    /// `h`
    pub(crate) slope: S::F32,
}

/// What a step sends to its current.
#[derive(Clone, Copy)]
pub(crate) struct ToCurrent<S: Simd> {
    /// The gradient of the current.
    pub(crate) gradient: S::F32,
    /// The part of it that the spike of this step sends, if the neuron [filters](Neuron::FILTERS).
    pub(crate) error: S::F32,
}

impl<S: Simd, N: Neuron> Carry<S, N> {
    /// No gradient yet.
    #[inline(always)]
    pub(crate) fn new(simd: S) -> Self {
        let zero = simd.splat(0.0);
        Self {
            state: N::State::<S>::from_fn(
                #[inline(always)]
                |_| zero,
            ),
            parameters: N::Parameters::<S>::from_fn(
                #[inline(always)]
                |_| zero,
            ),
            threshold: zero,
            graded_factor: zero,
            spike: zero,
        }
    }

    /// Sends the gradient of what a spike adapts at the next step to the states `compared` that it
    /// was fired from.
    #[inline(always)]
    pub(crate) fn adapt(
        &mut self,
        simd: S,
        lanes: &FiringLanes<S, N>,
        compared: N::State<S>,
        slope: S::F32,
    ) {
        let through = simd.mul(self.spike, slope);
        let (delta, to_parameters) = (&mut self.state, &mut self.parameters);
        N::level_adjoint(
            simd,
            lanes.parameters,
            compared,
            through,
            delta,
            to_parameters,
        );
        self.threshold = simd.sub(self.threshold, through);
    }

    /// Sends the carried gradients through one step, to its current.
    ///
    /// The order is that of a step, reversed: immediate reset, spike, integration.
    #[inline(always)]
    pub(crate) fn step_back<const IMMEDIATE: bool, const LEARN: bool>(
        &mut self,
        simd: S,
        lanes: &FiringLanes<S, N>,
        entered: N::State<S>,
        current: Current<S>,
        mut compared: N::State<S>,
        spike: Spike<S>,
    ) -> ToCurrent<S> {
        let theta = lanes.threshold;
        let zero = simd.splat(0.0);
        let reset = lanes.delayed(simd, entered);
        let level = N::level(simd, lanes.parameters, compared);
        let fired = lanes.fires(simd, &reset, level);
        if N::ADAPTS {
            self.adapt(simd, lanes, compared, spike.slope);
        }
        let mut delta = self.state;

        let mut spike_gradient = simd.mul(spike.graded, spike.gradient);
        if IMMEDIATE {
            let u = membrane::<S, N>(&mut delta);
            let left = reset.left(simd, fired);
            match reset.mechanism {
                Mechanism::Subtract => {
                    spike_gradient = simd.sub(spike_gradient, simd.mul(theta, *u));
                    self.threshold = simd.sub(self.threshold, simd.mul(left, *u));
                }
                Mechanism::Zero => {
                    let compared = *membrane::<S, N>(&mut compared);
                    spike_gradient = simd.sub(spike_gradient, simd.mul(compared, *u));
                    *u = simd.sub(*u, simd.mul(left, *u));
                }
                Mechanism::None | Mechanism::SubtractBeta => {}
            }
        }
        let slope = lanes.unless_still_above(simd, &reset, spike.slope, 0.0);
        let through_spike = simd.mul(spike_gradient, slope);
        let (p, to_parameters) = (lanes.parameters, &mut self.parameters);
        N::level_adjoint(simd, p, compared, through_spike, &mut delta, to_parameters);
        let adjoint = N::adjoint(simd, &reset, p, entered, current, delta);
        self.state = adjoint.state;
        if N::ADAPTS {
            self.spike = N::adaptation(simd, delta);
        }
        if LEARN {
            let counted = simd.select(fired, spike.gradient, zero);
            self.graded_factor = simd.add(self.graded_factor, counted);
            self.threshold = simd.sub(self.threshold, through_spike);
            self.threshold = simd.add(self.threshold, adjoint.threshold);
            let shares = adjoint.parameters.as_ref().iter();
            for (sum, &share) in self.parameters.as_mut().iter_mut().zip(shares) {
                *sum = simd.add(*sum, share);
            }
        }
        let error = if N::FILTERS {
            let alone = N::State::<S>::from_fn(
                #[inline(always)]
                |_| through_spike,
            );
            N::adjoint(simd, &reset, p, entered, current, alone).current
        } else {
            zero
        };
        ToCurrent {
            gradient: adjoint.current,
            error,
        }
    }
}
