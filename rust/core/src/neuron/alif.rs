//! The leaky integrate-and-fire neuron with an adaptive threshold.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `a ← ρ·a + R`, `u ← β·u + I`: every spike raises the threshold by `β_a`, which decays slowly.
///
/// What is compared with the threshold is `u - β_a·a`. Resets act on the membrane alone; "zero"
/// erases the present input with it.
#[derive(Clone, Copy, Debug)]
pub struct Alif;

impl Neuron for Alif {
    const NAME: &'static str = "alif";
    const PARAMETERS: &'static [&'static str] = &["beta", "rho", "beta_a"];
    const STATES: &'static [&'static str] = &["a", "mem"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Subtract, Mechanism::Zero, Mechanism::None];
    const ADAPTS: bool = true;
    const RECURRENT: bool = true;

    type Parameters<S: Simd> = [S::F32; 3];
    type State<S: Simd> = [S::F32; 2];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [beta, rho, _]: [S::F32; 3],
        [a, u]: [S::F32; 2],
        current: Current<S>,
    ) -> [S::F32; 2] {
        let a = simd.add(simd.mul(rho, a), reset.indicator(simd));
        let u = current.onto(simd, simd.mul(beta, u));
        [a, reset.subtract(simd, reset.erase(simd, u))]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [beta, rho, _]: [S::F32; 3],
        [a, u]: [S::F32; 2],
        _: Current<S>,
        [to_a, to_u]: [S::F32; 2],
    ) -> Adjoint<S, Self> {
        let integrated = reset.kept(simd, to_u);
        Adjoint {
            current: integrated,
            state: [simd.mul(rho, to_a), simd.mul(beta, integrated)],
            // The third parameter is the level's.
            parameters: [simd.mul(integrated, u), simd.mul(to_a, a), simd.splat(0.0)],
            threshold: reset.subtract_to_threshold(simd, to_u),
        }
    }

    #[inline(always)]
    fn adaptation<S: Simd>(_: S, [to_a, _]: [S::F32; 2]) -> S::F32 {
        to_a
    }

    #[inline(always)]
    fn level<S: Simd>(simd: S, [_, _, beta_a]: [S::F32; 3], [a, u]: [S::F32; 2]) -> S::F32 {
        simd.sub(u, simd.mul(beta_a, a))
    }

    #[inline(always)]
    fn level_adjoint<S: Simd>(
        simd: S,
        [_, _, beta_a]: [S::F32; 3],
        [a, _]: [S::F32; 2],
        gradient: S::F32,
        [to_a, to_u]: &mut [S::F32; 2],
        [_, _, to_beta_a]: &mut [S::F32; 3],
    ) {
        *to_a = simd.sub(*to_a, simd.mul(beta_a, gradient));
        *to_u = simd.add(*to_u, gradient);
        *to_beta_a = simd.sub(*to_beta_a, simd.mul(a, gradient));
    }
}
