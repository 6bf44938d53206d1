//! One step of one vector of neurons, backward: the adjoint of [`step`](crate::neuron::step).
//!
//! The reset flag of the delayed rule is a constant to the gradient, as in snnTorch; the spike of
//! the immediate rule is not.
//!
//! Notation, per neuron and step: `s̄` and `ū` are the gradients of the spike and of the membrane
//! that the step leaves, `h` the surrogate's derivative at `V - θ`, where `V` is the membrane as it
//! was compared with the threshold; `R` and `H` are the flags of the delayed reset and of the spike.

use crate::neuron::{FiringLanes, Mechanism, Neuron, difference, membrane};
use crate::simd::Simd;

/// The gradients that a vector of neurons carries from step to step.
#[derive(Clone, Copy)]
pub(super) struct Carry<S: Simd, N: Neuron> {
    pub(super) state: N::State<S>,
    pub(super) parameters: N::Parameters<S>,
    pub(super) threshold: S::F32,
    pub(super) graded_factor: S::F32,
}

/// What reaches a spike from above.
#[derive(Clone, Copy)]
pub(super) struct Spike<S: Simd> {
    /// `s̄`
    pub(super) gradient: S::F32,
    /// `γ`
    pub(super) graded: S::F32,
    /// `h`
    pub(super) slope: S::F32,
}

impl<S: Simd, N: Neuron> Carry<S, N> {
    /// Sends the carried gradients through one step, and returns the gradient of its current.
    ///
    /// The order is that of a step, reversed: immediate reset, spike, delayed reset, integration.
    #[inline(always)]
    pub(super) fn through<const IMMEDIATE: bool, const LEARN: bool>(
        &mut self,
        simd: S,
        mechanism: Mechanism,
        lanes: &FiringLanes<S, N>,
        mut entered: N::State<S>,
        compared: S::F32,
        spike: Spike<S>,
    ) -> S::F32 {
        let theta = lanes.threshold;
        let zero = simd.splat(0.0);
        let reset = simd.gt(*membrane::<S, N>(&mut entered), theta);
        let fired = simd.gt(compared, theta);
        let mut delta = self.state;
        let u = membrane::<S, N>(&mut delta);

        let mut spike_gradient = simd.mul(spike.graded, spike.gradient);
        if IMMEDIATE {
            let again = difference(simd, mechanism, fired, reset);
            match mechanism {
                Mechanism::Subtract => {
                    spike_gradient = simd.sub(spike_gradient, simd.mul(theta, *u));
                    self.threshold = simd.sub(self.threshold, simd.mul(again, *u));
                }
                Mechanism::Zero => {
                    spike_gradient = simd.sub(spike_gradient, simd.mul(compared, *u));
                    *u = simd.sub(*u, simd.mul(again, *u));
                }
                Mechanism::None | Mechanism::SubtractBeta => {}
            }
        }
        let through_spike = simd.mul(spike_gradient, spike.slope);
        *u = simd.add(*u, through_spike);
        if LEARN {
            self.threshold = simd.sub(self.threshold, through_spike);
            let counted = simd.select(fired, spike.gradient, zero);
            self.graded_factor = simd.add(self.graded_factor, counted);
            let subtracted = simd.select(reset, *u, zero);
            match mechanism {
                Mechanism::Subtract => self.threshold = simd.sub(self.threshold, subtracted),
                Mechanism::SubtractBeta => {
                    let decay = &mut self.parameters.as_mut()[N::DECAY];
                    *decay = simd.sub(*decay, simd.mul(theta, subtracted));
                    let scaled = simd.mul(N::decay(lanes.parameters), subtracted);
                    self.threshold = simd.sub(self.threshold, scaled);
                }
                Mechanism::Zero | Mechanism::None => {}
            }
        }

        let kept_before = membrane::<S, N>(&mut entered);
        if N::ZERO_KEEPS_INPUT {
            *kept_before = lanes.kept(simd, reset, *kept_before);
        } else {
            *u = lanes.kept(simd, reset, *u);
        }
        let adjoint = N::adjoint(simd, lanes.parameters, entered, delta);
        self.state = adjoint.state;
        if N::ZERO_KEEPS_INPUT {
            let u = membrane::<S, N>(&mut self.state);
            *u = lanes.kept(simd, reset, *u);
        }
        if LEARN {
            let shares = adjoint.parameters.as_ref().iter();
            for (sum, &share) in self.parameters.as_mut().iter_mut().zip(shares) {
                *sum = simd.add(*sum, share);
            }
        }
        adjoint.current
    }
}
