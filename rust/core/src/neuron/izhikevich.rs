//! Izhikevich's neuron.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `v ← v + dt·(0.04v² + 5v + 140 - u + I)` and `u ← u + dt·a·(b·v - u)`.
///
/// A step begins with `c` and `u + d` where the membrane was above threshold.
#[derive(Clone, Copy, Debug)]
pub struct Izhikevich;

// `0.04v² + 5v + 140`, with which Izhikevich fitted the onset of spikes in cortical neurons.
const SQUARE: f32 = 0.04;
const LINEAR: f32 = 5.0;
const CONSTANT: f32 = 140.0;

impl Neuron for Izhikevich {
    const NAME: &'static str = "izhikevich";
    const PARAMETERS: &'static [&'static str] = &["a", "b", "c", "d", "dt"];
    const STATES: &'static [&'static str] = &["u", "v"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Zero];

    type Parameters<S: Simd> = [S::F32; 5];
    type State<S: Simd> = [S::F32; 2];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [a, b, c, d, dt]: [S::F32; 5],
        [u, v]: [S::F32; 2],
        current: Current<S>,
    ) -> [S::F32; 2] {
        let v = reset.set(simd, v, c);
        let u = reset.shift(simd, u, d);
        let (rise, pull) = slopes(simd, [a, b], [u, v], current);
        [
            simd.add(u, simd.mul(dt, pull)),
            simd.add(v, simd.mul(dt, rise)),
        ]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [a, b, c, d, dt]: [S::F32; 5],
        [u, v]: [S::F32; 2],
        current: Current<S>,
        [delta_u, delta_v]: [S::F32; 2],
    ) -> Adjoint<S, Self> {
        let zero = simd.splat(0.0);
        let v = reset.set(simd, v, c);
        let u = reset.shift(simd, u, d);
        let (rise, pull) = slopes(simd, [a, b], [u, v], current);

        let (to_rise, to_pull) = (simd.mul(dt, delta_v), simd.mul(dt, delta_u));
        let steepness = simd.mul(simd.splat(2.0 * SQUARE), v);
        let steepness = simd.add(steepness, simd.splat(LINEAR));
        let to_difference = simd.mul(a, to_pull);
        let by_rise = simd.add(delta_v, simd.mul(to_rise, steepness));
        let to_v = simd.add(by_rise, simd.mul(to_difference, b));
        let to_u = simd.sub(simd.sub(delta_u, to_difference), to_rise);
        let to_dt = simd.add(simd.mul(delta_v, rise), simd.mul(delta_u, pull));
        Adjoint {
            current: to_rise,
            state: [to_u, simd.select(reset.flag, zero, to_v)],
            parameters: [
                simd.mul(to_pull, simd.sub(simd.mul(b, v), u)),
                simd.mul(to_difference, v),
                simd.select(reset.flag, to_v, zero),
                simd.select(reset.flag, to_u, zero),
                to_dt,
            ],
            threshold: zero,
        }
    }
}

/// `v'` and `u'`
#[inline(always)]
fn slopes<S: Simd>(
    simd: S,
    [a, b]: [S::F32; 2],
    [u, v]: [S::F32; 2],
    current: Current<S>,
) -> (S::F32, S::F32) {
    let parabola = simd.mul(simd.mul(simd.splat(SQUARE), v), v);
    let parabola = simd.add(parabola, simd.mul(simd.splat(LINEAR), v));
    let parabola = simd.add(parabola, simd.splat(CONSTANT));
    let rise = current.onto(simd, simd.sub(parabola, u));
    let pull = simd.mul(a, simd.sub(simd.mul(b, v), u));
    (rise, pull)
}
