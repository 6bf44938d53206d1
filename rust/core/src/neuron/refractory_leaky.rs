//! The leaky integrate-and-fire neuron of textbooks, in any units.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `u ← v_rest + β·(u - v_rest) + gain·I`, from `v_reset` after a spike; `u = v_reset` for the first
/// `refractory` steps after it, which `hold` counts down.
#[derive(Clone, Copy, Debug)]
pub struct RefractoryLeaky;

/// What an update passes through.
struct Update<S: Simd> {
    /// Steps that the membrane is still held, this one included.
    hold: S::F32,
    /// Whether it is.
    held: S::Mask,
    /// The membrane, above rest, that the update starts from.
    above_rest: S::F32,
}

impl RefractoryLeaky {
    #[inline(always)]
    fn update<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [_, _, v_rest, v_reset, refractory]: [S::F32; 5],
        [hold, u]: [S::F32; 2],
    ) -> Update<S> {
        let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
        let left = simd.sub(hold, one);
        let left = simd.select(simd.gt(zero, left), zero, left);
        let hold = simd.select(reset.flag, refractory, left);
        let u = reset.set(simd, u, v_reset);
        Update {
            hold,
            held: simd.gt(hold, zero),
            above_rest: simd.sub(u, v_rest),
        }
    }
}

impl Neuron for RefractoryLeaky {
    const NAME: &'static str = "refractory_leaky";
    const PARAMETERS: &'static [&'static str] =
        &["beta", "gain", "v_rest", "v_reset", "refractory"];
    const STATES: &'static [&'static str] = &["hold", "mem"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Zero];

    type Parameters<S: Simd> = [S::F32; 5];
    type State<S: Simd> = [S::F32; 2];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        parameters: [S::F32; 5],
        state: [S::F32; 2],
        current: Current<S>,
    ) -> [S::F32; 2] {
        let [beta, gain, v_rest, v_reset, _] = parameters;
        let Update {
            hold,
            held,
            above_rest,
        } = Self::update(simd, reset, parameters, state);
        let u = simd.add(v_rest, simd.mul(beta, above_rest));
        let u = simd.add(u, simd.mul(gain, current.total(simd)));
        [hold, simd.select(held, v_reset, u)]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        parameters: [S::F32; 5],
        state: [S::F32; 2],
        current: Current<S>,
        [to_hold, delta]: [S::F32; 2],
    ) -> Adjoint<S, Self> {
        let [beta, gain, ..] = parameters;
        let [hold, _] = state;
        let update = Self::update(simd, reset, parameters, state);
        let zero = simd.splat(0.0);
        let counts = simd.gt(hold, simd.splat(1.0));
        let to_left = simd.select(reset.flag, zero, simd.select(counts, to_hold, zero));
        let free = simd.select(update.held, zero, delta);
        let to_above_rest = simd.mul(beta, free);
        let to_reset = simd.select(reset.flag, to_above_rest, zero);
        Adjoint {
            current: simd.mul(gain, free),
            state: [to_left, simd.select(reset.flag, zero, to_above_rest)],
            parameters: [
                simd.mul(free, update.above_rest),
                simd.mul(free, current.total(simd)),
                simd.sub(free, to_above_rest),
                simd.select(update.held, delta, to_reset),
                simd.select(reset.flag, to_hold, zero),
            ],
            threshold: zero,
        }
    }
}
