//! The quadratic integrate-and-fire neuron.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `u ← u + k·(a₀·(u - u_rest)·(u - u_c) + R·I)` with `k = dt/τ`: beyond the critical `u_c` the
/// membrane runs away. A step begins with `u_reset` where the membrane was above threshold.
#[derive(Clone, Copy, Debug)]
pub struct Qif;

impl Neuron for Qif {
    const NAME: &'static str = "qif";
    const PARAMETERS: &'static [&'static str] =
        &["rate", "a0", "u_rest", "u_c", "u_reset", "resistance"];
    const STATES: &'static [&'static str] = &["mem"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Zero];

    type Parameters<S: Simd> = [S::F32; 6];
    type State<S: Simd> = [S::F32; 1];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [rate, a0, u_rest, u_c, u_reset, resistance]: [S::F32; 6],
        [u]: [S::F32; 1],
        current: Current<S>,
    ) -> [S::F32; 1] {
        let u = reset.set(simd, u, u_reset);
        let above = simd.mul(a0, simd.sub(u, u_rest));
        let drift = simd.mul(above, simd.sub(u, u_c));
        let drive = simd.mul(resistance, current.total(simd));
        [simd.add(u, simd.mul(rate, simd.add(drift, drive)))]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [rate, a0, u_rest, u_c, u_reset, resistance]: [S::F32; 6],
        [u]: [S::F32; 1],
        current: Current<S>,
        [delta]: [S::F32; 1],
    ) -> Adjoint<S, Self> {
        let zero = simd.splat(0.0);
        let u = reset.set(simd, u, u_reset);
        let (over_rest, over_c) = (simd.sub(u, u_rest), simd.sub(u, u_c));
        let product = simd.mul(over_rest, over_c);
        let input = current.total(simd);
        let slope = simd.add(simd.mul(a0, product), simd.mul(resistance, input));
        let to_slope = simd.mul(rate, delta);
        let (to_rest, to_c) = (
            simd.mul(to_slope, simd.mul(a0, over_c)),
            simd.mul(to_slope, simd.mul(a0, over_rest)),
        );
        let to_u = simd.add(delta, simd.add(to_rest, to_c));
        Adjoint {
            current: simd.mul(to_slope, resistance),
            state: [simd.select(reset.flag, zero, to_u)],
            parameters: [
                simd.mul(delta, slope),
                simd.mul(to_slope, product),
                simd.sub(zero, to_rest),
                simd.sub(zero, to_c),
                simd.select(reset.flag, to_u, zero),
                simd.mul(to_slope, input),
            ],
            threshold: zero,
        }
    }
}
