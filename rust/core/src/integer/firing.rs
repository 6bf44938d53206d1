//! A step of neurons in integers: integrate, fire, reset, as those of [`crate::neuron`] do in floats.

use super::Decay;
use crate::neuron::{Mechanism, Reset};
use crate::simd::Simd;

/// What firing and reset need to know, for one vector of neurons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Firing<S: Simd> {
    pub(crate) reset: Reset,
    /// Membranes above it fire.
    pub(crate) limit: S::I32,
    /// What "subtract" subtracts.
    pub(crate) threshold: S::I32,
}

impl<S: Simd> Firing<S> {
    /// The membranes and spikes of leaky neurons: `U ← decay(U) + I`. "zero" erases what was there
    /// before the current; in a recurrent layer the current too.
    #[inline(always)]
    pub(crate) fn leaky(
        self,
        simd: S,
        (decay, factor): (Decay, S::I32),
        u: S::I32,
        current: S::I32,
        recurrent: Option<S::I32>,
    ) -> (S::I32, S::Mask) {
        let before = simd.gt_i32(u, self.limit);
        let u = match recurrent {
            None => decay.onto(simd, factor, self.erased(simd, u, before), current),
            Some(recurrent) => {
                let current = simd.add_i32(current, recurrent);
                self.erased(simd, decay.onto(simd, factor, u, current), before)
            }
        };
        self.fire(simd, u, before)
    }

    /// Those of neurons whose synapse already holds the present input: `U ← decay(U) + i`. "zero"
    /// erases both.
    #[inline(always)]
    pub(crate) fn synaptic(
        self,
        simd: S,
        (decay, factor): (Decay, S::I32),
        u: S::I32,
        synapse: S::I32,
    ) -> (S::I32, S::Mask) {
        let before = simd.gt_i32(u, self.limit);
        let u = decay.onto(simd, factor, u, synapse);
        self.fire(simd, self.erased(simd, u, before), before)
    }

    /// 0 under "zero" for neurons that were above the limit, else `x`.
    #[inline(always)]
    fn erased(self, simd: S, x: S::I32, before: S::Mask) -> S::I32 {
        match self.reset.mechanism {
            Mechanism::Zero => simd.select_i32(before, simd.splat_i32(0), x),
            _ => x,
        }
    }

    /// The threshold for neurons of a mask under "subtract", else 0.
    #[inline(always)]
    fn amount(self, simd: S, mask: S::Mask) -> S::I32 {
        let zero = simd.splat_i32(0);
        match self.reset.mechanism {
            Mechanism::Subtract => simd.select_i32(mask, self.threshold, zero),
            _ => zero,
        }
    }

    /// Subtracts what a delayed reset does, fires, and resets at once what the delayed one has left.
    #[inline(always)]
    fn fire(self, simd: S, u: S::I32, before: S::Mask) -> (S::I32, S::Mask) {
        let delayed = self.amount(simd, before);
        let u = simd.sub_i32(u, delayed);
        let fired = simd.gt_i32(u, self.limit);
        if !self.reset.immediate {
            return (u, fired);
        }
        let left = simd.sub_i32(self.amount(simd, fired), delayed);
        let u = simd.sub_i32(u, left);
        match self.reset.mechanism {
            Mechanism::Zero => {
                let kept = simd.select_i32(before, u, simd.splat_i32(0));
                (simd.select_i32(fired, kept, u), fired)
            }
            _ => (u, fired),
        }
    }
}
