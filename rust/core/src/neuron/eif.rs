//! The exponential integrate-and-fire neuron.

use super::exponential::Upstroke;
use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `u ← u + k·(-(u - u_rest) + Δ_T·exp((u - V_T)/Δ_T) + R·I)` with `k = dt/τ`.
///
/// A step begins with `u_reset` where the membrane was above threshold.
#[derive(Clone, Copy, Debug)]
pub struct Eif;

impl Neuron for Eif {
    const NAME: &'static str = "eif";
    const PARAMETERS: &'static [&'static str] =
        &["rate", "u_rest", "delta_t", "v_t", "u_reset", "resistance"];
    const STATES: &'static [&'static str] = &["mem"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Zero];

    type Parameters<S: Simd> = [S::F32; 6];
    type State<S: Simd> = [S::F32; 1];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [rate, u_rest, delta_t, v_t, u_reset, resistance]: [S::F32; 6],
        [u]: [S::F32; 1],
        current: Current<S>,
    ) -> [S::F32; 1] {
        let u = reset.set(simd, u, u_reset);
        let upstroke = Upstroke::new(simd, u, v_t, delta_t);
        let drift = simd.add(simd.sub(u_rest, u), upstroke.current);
        let drive = simd.mul(resistance, current.total(simd));
        [simd.add(u, simd.mul(rate, simd.add(drift, drive)))]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [rate, u_rest, delta_t, v_t, u_reset, resistance]: [S::F32; 6],
        [u]: [S::F32; 1],
        current: Current<S>,
        [delta]: [S::F32; 1],
    ) -> Adjoint<S, Self> {
        let zero = simd.splat(0.0);
        let u = reset.set(simd, u, u_reset);
        let upstroke = Upstroke::new(simd, u, v_t, delta_t);
        let input = current.total(simd);
        let drift = simd.add(simd.sub(u_rest, u), upstroke.current);
        let slope = simd.add(drift, simd.mul(resistance, input));
        let to_slope = simd.mul(rate, delta);
        let [by_upstroke, to_delta_t] = upstroke.adjoint(simd, to_slope);
        let to_u = simd.add(simd.sub(delta, to_slope), by_upstroke);
        Adjoint {
            current: simd.mul(to_slope, resistance),
            state: [simd.select(reset.flag, zero, to_u)],
            parameters: [
                simd.mul(delta, slope),
                to_slope,
                to_delta_t,
                simd.sub(zero, by_upstroke),
                simd.select(reset.flag, to_u, zero),
                simd.mul(to_slope, input),
            ],
            threshold: zero,
        }
    }
}
