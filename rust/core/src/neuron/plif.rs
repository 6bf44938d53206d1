//! The parametric leaky neuron.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `u ← β·u + (1 - β)·I`: what the membrane loses makes room for the input.
///
/// "zero" erases the membrane before it is integrated: the present input survives.
#[derive(Clone, Copy, Debug)]
pub struct Plif;

impl Neuron for Plif {
    const NAME: &'static str = "plif";
    const PARAMETERS: &'static [&'static str] = &["beta"];
    const STATES: &'static [&'static str] = &["mem"];
    const RESETS: &'static [Mechanism] = &Mechanism::ALL;
    const IMMEDIATE: bool = true;
    const DECAY: Option<usize> = Some(0);
    const FILTERS: bool = true;

    type Parameters<S: Simd> = [S::F32; 1];
    type State<S: Simd> = [S::F32; 1];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [beta]: [S::F32; 1],
        [u]: [S::F32; 1],
        current: Current<S>,
    ) -> [S::F32; 1] {
        let u = simd.mul(beta, reset.kept(simd, u));
        let gain = simd.sub(simd.splat(1.0), beta);
        let u = simd.add(u, simd.mul(gain, current.total(simd)));
        [reset.subtract(simd, u)]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [beta]: [S::F32; 1],
        [u]: [S::F32; 1],
        current: Current<S>,
        [delta]: [S::F32; 1],
    ) -> Adjoint<S, Self> {
        let kept = reset.kept(simd, u);
        let gain = simd.sub(simd.splat(1.0), beta);
        let to_beta = simd.mul(delta, simd.sub(kept, current.total(simd)));
        Adjoint {
            current: simd.mul(gain, delta),
            state: [reset.kept(simd, simd.mul(beta, delta))],
            parameters: [simd.add(to_beta, reset.subtract_to_decay(simd, delta))],
            threshold: reset.subtract_to_threshold(simd, delta),
        }
    }
}
