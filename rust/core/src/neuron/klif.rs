//! The leaky neuron with a learned slope.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `f ← relu(k·(β·f + I))`, where `f`, after the reset of the spike before, is what fires.
#[derive(Clone, Copy, Debug)]
pub struct Klif;

impl Klif {
    /// The membrane before it is scaled, and what is left of `f` of the step before.
    #[inline(always)]
    fn integrated<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        beta: S::F32,
        f: S::F32,
        current: Current<S>,
    ) -> (S::F32, S::F32) {
        let left = reset.subtract(simd, reset.kept(simd, f));
        (current.onto(simd, simd.mul(beta, left)), left)
    }
}

impl Neuron for Klif {
    const NAME: &'static str = "klif";
    const PARAMETERS: &'static [&'static str] = &["beta", "k"];
    const STATES: &'static [&'static str] = &["mem"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Subtract, Mechanism::Zero, Mechanism::None];

    type Parameters<S: Simd> = [S::F32; 2];
    type State<S: Simd> = [S::F32; 1];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [beta, k]: [S::F32; 2],
        [f]: [S::F32; 1],
        current: Current<S>,
    ) -> [S::F32; 1] {
        let (u, _) = Self::integrated(simd, reset, beta, f, current);
        let zero = simd.splat(0.0);
        let scaled = simd.mul(k, u);
        [simd.select(simd.gt(zero, scaled), zero, scaled)]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [beta, k]: [S::F32; 2],
        [f]: [S::F32; 1],
        current: Current<S>,
        [delta]: [S::F32; 1],
    ) -> Adjoint<S, Self> {
        let (u, left) = Self::integrated(simd, reset, beta, f, current);
        let zero = simd.splat(0.0);
        let to_scaled = simd.select(simd.gt(simd.mul(k, u), zero), delta, zero);
        let to_u = simd.mul(k, to_scaled);
        let to_left = simd.mul(beta, to_u);
        Adjoint {
            current: to_u,
            state: [reset.kept(simd, to_left)],
            parameters: [simd.mul(to_u, left), simd.mul(to_scaled, u)],
            threshold: reset.subtract_to_threshold(simd, to_left),
        }
    }
}
