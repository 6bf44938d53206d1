//! The neuron that fires when its membrane moves.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `u ← β·u + I`, and a spike if `|u - u_before| > θ`.
///
/// The names of resets are accepted, and none acts: what is encoded is a change.
#[derive(Clone, Copy, Debug)]
pub struct DeltaLeaky;

impl Neuron for DeltaLeaky {
    const NAME: &'static str = "delta_leaky";
    const PARAMETERS: &'static [&'static str] = &["beta"];
    const STATES: &'static [&'static str] = &["mem", "mem_prev"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Subtract, Mechanism::Zero, Mechanism::None];

    type Parameters<S: Simd> = [S::F32; 1];
    type State<S: Simd> = [S::F32; 2];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        _: &Delayed<S>,
        [beta]: [S::F32; 1],
        [u, _]: [S::F32; 2],
        current: Current<S>,
    ) -> [S::F32; 2] {
        [current.onto(simd, simd.mul(beta, u)), u]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        _: &Delayed<S>,
        [beta]: [S::F32; 1],
        [u, _]: [S::F32; 2],
        _: Current<S>,
        [to_u, to_before]: [S::F32; 2],
    ) -> Adjoint<S, Self> {
        let zero = simd.splat(0.0);
        Adjoint {
            current: to_u,
            state: [simd.add(simd.mul(beta, to_u), to_before), zero],
            parameters: [simd.mul(to_u, u)],
            threshold: zero,
        }
    }

    #[inline(always)]
    fn level<S: Simd>(simd: S, _: [S::F32; 1], [u, before]: [S::F32; 2]) -> S::F32 {
        simd.abs(simd.sub(u, before))
    }

    #[inline(always)]
    fn level_adjoint<S: Simd>(
        simd: S,
        _: [S::F32; 1],
        [u, before]: [S::F32; 2],
        gradient: S::F32,
        [to_u, to_before]: &mut [S::F32; 2],
        _: &mut [S::F32; 1],
    ) {
        let zero = simd.splat(0.0);
        let rises = simd.select(simd.gt(u, before), gradient, zero);
        let falls = simd.select(simd.gt(before, u), gradient, zero);
        let signed = simd.sub(rises, falls);
        *to_u = simd.add(*to_u, signed);
        *to_before = simd.sub(*to_before, signed);
    }
}
