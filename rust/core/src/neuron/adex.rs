//! The adaptive exponential integrate-and-fire neuron.

use super::exponential::Upstroke;
use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `u ← u + k·(-(u - u_rest) + Δ_T·exp((u - V_T)/Δ_T) + R·(I - w))` and
/// `w ← w + k_w·(a·(u - u_rest) - w)`, with `k = dt/τ` and `k_w = dt/τ_w`.
///
/// A step begins with `u_reset` and `w + b` where the membrane was above threshold.
#[derive(Clone, Copy, Debug)]
pub struct AdEx;

impl Neuron for AdEx {
    const NAME: &'static str = "adex";
    const PARAMETERS: &'static [&'static str] = &[
        "rate",
        "rate_w",
        "u_rest",
        "delta_t",
        "v_t",
        "u_reset",
        "resistance",
        "a",
        "b",
    ];
    const STATES: &'static [&'static str] = &["w", "mem"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Zero];

    type Parameters<S: Simd> = [S::F32; 9];
    type State<S: Simd> = [S::F32; 2];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [
            rate,
            rate_w,
            u_rest,
            delta_t,
            v_t,
            u_reset,
            resistance,
            a,
            b,
        ]: [S::F32; 9],
        [w, u]: [S::F32; 2],
        current: Current<S>,
    ) -> [S::F32; 2] {
        let u = reset.set(simd, u, u_reset);
        let w = reset.shift(simd, w, b);
        let upstroke = Upstroke::new(simd, u, v_t, delta_t);
        let drift = simd.add(simd.sub(u_rest, u), upstroke.current);
        let drive = simd.mul(resistance, simd.sub(current.total(simd), w));
        let pull = simd.sub(simd.mul(a, simd.sub(u, u_rest)), w);
        [
            simd.add(w, simd.mul(rate_w, pull)),
            simd.add(u, simd.mul(rate, simd.add(drift, drive))),
        ]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [
            rate,
            rate_w,
            u_rest,
            delta_t,
            v_t,
            u_reset,
            resistance,
            a,
            b,
        ]: [S::F32; 9],
        [w, u]: [S::F32; 2],
        current: Current<S>,
        [delta_w, delta]: [S::F32; 2],
    ) -> Adjoint<S, Self> {
        let zero = simd.splat(0.0);
        let u = reset.set(simd, u, u_reset);
        let w = reset.shift(simd, w, b);
        let upstroke = Upstroke::new(simd, u, v_t, delta_t);
        let net = simd.sub(current.total(simd), w);
        let over_rest = simd.sub(u, u_rest);
        let drift = simd.add(simd.sub(u_rest, u), upstroke.current);
        let slope = simd.add(drift, simd.mul(resistance, net));
        let pull = simd.sub(simd.mul(a, over_rest), w);

        let (to_slope, to_pull) = (simd.mul(rate, delta), simd.mul(rate_w, delta_w));
        let [by_upstroke, to_delta_t] = upstroke.adjoint(simd, to_slope);
        let to_current = simd.mul(to_slope, resistance);
        let by_pull = simd.mul(a, to_pull);
        let leak = simd.sub(to_slope, by_pull);
        let to_u = simd.add(simd.sub(delta, leak), by_upstroke);
        let to_w = simd.sub(simd.sub(delta_w, to_pull), to_current);
        Adjoint {
            current: to_current,
            state: [to_w, simd.select(reset.flag, zero, to_u)],
            parameters: [
                simd.mul(delta, slope),
                simd.mul(delta_w, pull),
                leak,
                to_delta_t,
                simd.sub(zero, by_upstroke),
                simd.select(reset.flag, to_u, zero),
                simd.mul(to_slope, net),
                simd.mul(to_pull, over_rest),
                simd.select(reset.flag, to_w, zero),
            ],
            threshold: zero,
        }
    }
}
