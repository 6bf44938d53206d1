//! The leaky integrate-and-fire neuron.

use super::{Adjoint, Neuron};
use crate::simd::Simd;

/// `u ← β·u + I`: the membrane loses the share `1 - β` per step and collects the input.
#[derive(Clone, Copy, Debug)]
pub struct Leaky;

impl Neuron for Leaky {
    const NAME: &'static str = "leaky";
    const PARAMETERS: &'static [&'static str] = &["beta"];
    const STATES: &'static [&'static str] = &["mem"];
    const ZERO_KEEPS_INPUT: bool = true;
    const DECAY: usize = 0;

    type Parameters<S: Simd> = [S::F32; 1];
    type State<S: Simd> = [S::F32; 1];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        [beta]: [S::F32; 1],
        [u]: [S::F32; 1],
        current: S::F32,
    ) -> [S::F32; 1] {
        [simd.add(simd.mul(beta, u), current)]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        [beta]: [S::F32; 1],
        [u]: [S::F32; 1],
        [delta]: [S::F32; 1],
    ) -> Adjoint<S, Self> {
        Adjoint {
            current: delta,
            state: [simd.mul(beta, delta)],
            parameters: [simd.mul(delta, u)],
        }
    }

    #[inline(always)]
    fn decay<S: Simd>([beta]: [S::F32; 1]) -> S::F32 {
        beta
    }
}
