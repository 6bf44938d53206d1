//! The neuron with a synaptic current of its own.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `i ← α·i + I`, `u ← β·u + i`: input passes through a synapse before it reaches the membrane.
///
/// Resets act on the membrane alone; "zero" erases the present input with it.
#[derive(Clone, Copy, Debug)]
pub struct Synaptic;

impl Neuron for Synaptic {
    const NAME: &'static str = "synaptic";
    const PARAMETERS: &'static [&'static str] = &["alpha", "beta"];
    const STATES: &'static [&'static str] = &["syn", "mem"];
    const RESETS: &'static [Mechanism] = &Mechanism::ALL;
    const IMMEDIATE: bool = true;
    const RECURRENT: bool = true;
    const DECAY: Option<usize> = Some(1);

    type Parameters<S: Simd> = [S::F32; 2];
    type State<S: Simd> = [S::F32; 2];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [alpha, beta]: [S::F32; 2],
        [syn, u]: [S::F32; 2],
        current: Current<S>,
    ) -> [S::F32; 2] {
        let syn = current.onto(simd, simd.mul(alpha, syn));
        let u = simd.add(simd.mul(beta, u), syn);
        [syn, reset.subtract(simd, reset.erase(simd, u))]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [alpha, beta]: [S::F32; 2],
        [syn, u]: [S::F32; 2],
        _: Current<S>,
        [to_syn, to_u]: [S::F32; 2],
    ) -> Adjoint<S, Self> {
        let integrated = reset.kept(simd, to_u);
        let to_syn = simd.add(to_syn, integrated);
        let to_beta = simd.mul(integrated, u);
        Adjoint {
            current: to_syn,
            state: [simd.mul(alpha, to_syn), simd.mul(beta, integrated)],
            parameters: [
                simd.mul(to_syn, syn),
                simd.add(to_beta, reset.subtract_to_decay(simd, to_u)),
            ],
            threshold: reset.subtract_to_threshold(simd, to_u),
        }
    }
}
