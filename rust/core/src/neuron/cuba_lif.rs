//! The current-based leaky neuron.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `i ← α·i + w·I`, `u ← β·u + r·i`: `Synaptic` with a gain before and behind its synapse.
#[derive(Clone, Copy, Debug)]
pub struct CubaLif;

impl Neuron for CubaLif {
    const NAME: &'static str = "cuba_lif";
    const PARAMETERS: &'static [&'static str] = &["alpha", "beta", "w_in", "r"];
    const STATES: &'static [&'static str] = &["syn", "mem"];
    const RESETS: &'static [Mechanism] = &Mechanism::ALL;
    const IMMEDIATE: bool = true;
    const DECAY: Option<usize> = Some(1);

    type Parameters<S: Simd> = [S::F32; 4];
    type State<S: Simd> = [S::F32; 2];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [alpha, beta, w_in, r]: [S::F32; 4],
        [syn, u]: [S::F32; 2],
        current: Current<S>,
    ) -> [S::F32; 2] {
        let input = simd.mul(w_in, current.total(simd));
        let syn = simd.add(simd.mul(alpha, syn), input);
        let u = simd.add(simd.mul(beta, u), simd.mul(r, syn));
        [syn, reset.subtract(simd, reset.erase(simd, u))]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [alpha, beta, w_in, r]: [S::F32; 4],
        [syn, u]: [S::F32; 2],
        current: Current<S>,
        [to_syn, to_u]: [S::F32; 2],
    ) -> Adjoint<S, Self> {
        let current = current.total(simd);
        let after = simd.add(simd.mul(alpha, syn), simd.mul(w_in, current));
        let integrated = reset.kept(simd, to_u);
        let to_syn = simd.add(to_syn, simd.mul(r, integrated));
        let to_beta = simd.mul(integrated, u);
        Adjoint {
            current: simd.mul(w_in, to_syn),
            state: [simd.mul(alpha, to_syn), simd.mul(beta, integrated)],
            parameters: [
                simd.mul(to_syn, syn),
                simd.add(to_beta, reset.subtract_to_decay(simd, to_u)),
                simd.mul(to_syn, current),
                simd.mul(integrated, after),
            ],
            threshold: reset.subtract_to_threshold(simd, to_u),
        }
    }
}
