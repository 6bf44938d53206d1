//! The leaky integrate-and-fire neuron.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `u ← β·u + I`: the membrane loses the share `1 - β` per step and collects the input.
///
/// "zero" erases the membrane before it is integrated: the present input survives. In a recurrent
/// layer it erases what has been integrated, the present input too, as in snnTorch.
#[derive(Clone, Copy, Debug)]
pub struct Leaky;

impl Neuron for Leaky {
    const NAME: &'static str = "leaky";
    const PARAMETERS: &'static [&'static str] = &["beta"];
    const STATES: &'static [&'static str] = &["mem"];
    const RESETS: &'static [Mechanism] = &Mechanism::ALL;
    const IMMEDIATE: bool = true;
    const RECURRENT: bool = true;
    const DECAY: Option<usize> = Some(0);
    const FILTERS: bool = true;
    const PLAIN: bool = true;

    type Parameters<S: Simd> = [S::F32; 1];
    type State<S: Simd> = [S::F32; 1];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [beta]: [S::F32; 1],
        [u]: [S::F32; 1],
        current: Current<S>,
    ) -> [S::F32; 1] {
        let recurrent = current.is_recurrent();
        let u = if recurrent { u } else { reset.kept(simd, u) };
        let mut u = current.onto(simd, simd.mul(beta, u));
        if recurrent {
            u = reset.erase(simd, u);
        }
        [reset.subtract(simd, u)]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [beta]: [S::F32; 1],
        [u]: [S::F32; 1],
        current: Current<S>,
        [delta]: [S::F32; 1],
    ) -> Adjoint<S, Self> {
        let integrated = if current.is_recurrent() {
            reset.kept(simd, delta)
        } else {
            delta
        };
        let share = simd.mul(integrated, reset.kept(simd, u));
        Adjoint {
            current: integrated,
            state: [reset.kept(simd, simd.mul(beta, delta))],
            parameters: [simd.add(share, reset.subtract_to_decay(simd, delta))],
            threshold: reset.subtract_to_threshold(simd, delta),
        }
    }
}
