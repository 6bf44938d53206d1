//! The membrane as a circuit of a resistor and a capacitor.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `u ← ((I·R)·rate)·Δt + decay·u`: an Euler step of `RC·u' = -u + R·I` if `rate = 1/(R·C)` and
/// `decay = 1 - Δt/(R·C)`.
///
/// "zero" erases the present input with the membrane.
#[derive(Clone, Copy, Debug)]
pub struct Lapicque;

impl Neuron for Lapicque {
    const NAME: &'static str = "lapicque";
    const PARAMETERS: &'static [&'static str] = &["R", "rate", "time_step", "decay"];
    const STATES: &'static [&'static str] = &["mem"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Subtract, Mechanism::Zero, Mechanism::None];
    const DECAY: Option<usize> = Some(3);
    const FILTERS: bool = true;

    type Parameters<S: Simd> = [S::F32; 4];
    type State<S: Simd> = [S::F32; 1];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [resistance, rate, time_step, decay]: [S::F32; 4],
        [u]: [S::F32; 1],
        current: Current<S>,
    ) -> [S::F32; 1] {
        let voltage = simd.mul(current.total(simd), resistance);
        let input = simd.mul(simd.mul(voltage, rate), time_step);
        let u = simd.add(input, simd.mul(decay, u));
        [reset.subtract(simd, reset.erase(simd, u))]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [resistance, rate, time_step, decay]: [S::F32; 4],
        [u]: [S::F32; 1],
        current: Current<S>,
        [delta]: [S::F32; 1],
    ) -> Adjoint<S, Self> {
        let integrated = reset.kept(simd, delta);
        let current = current.total(simd);
        let voltage = simd.mul(current, resistance);
        let to_driven = simd.mul(integrated, time_step);
        let to_voltage = simd.mul(to_driven, rate);
        Adjoint {
            current: simd.mul(to_voltage, resistance),
            state: [simd.mul(decay, integrated)],
            parameters: [
                simd.mul(to_voltage, current),
                simd.mul(to_driven, voltage),
                simd.mul(integrated, simd.mul(voltage, rate)),
                simd.mul(integrated, u),
            ],
            threshold: reset.subtract_to_threshold(simd, delta),
        }
    }
}
