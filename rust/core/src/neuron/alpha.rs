//! The neuron whose membrane follows an alpha function.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `e ← α·e + I`, `i ← β·i - I`, `u ← τ·(e + i)`: a spike that arrives lifts the membrane step by
/// step, then lets it fall.
///
/// Resets act on all states: "zero" erases them, "subtract" takes `θ` from `e`, erases `i` and adds
/// its former value to `u`. The latter has no clear meaning; it is snnTorch's.
#[derive(Clone, Copy, Debug)]
pub struct Alpha;

/// `x - R·x`
#[inline(always)]
fn erase<S: Simd>(simd: S, reset: &Delayed<S>, x: S::F32) -> S::F32 {
    simd.sub(x, simd.mul(x, reset.indicator(simd)))
}

impl Neuron for Alpha {
    const NAME: &'static str = "alpha";
    const PARAMETERS: &'static [&'static str] = &["alpha", "beta", "tau"];
    const STATES: &'static [&'static str] = &["syn_exc", "syn_inh", "mem"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Subtract, Mechanism::Zero, Mechanism::None];

    type Parameters<S: Simd> = [S::F32; 3];
    type State<S: Simd> = [S::F32; 3];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [alpha, beta, tau]: [S::F32; 3],
        [before_e, before_i, _]: [S::F32; 3],
        current: Current<S>,
    ) -> [S::F32; 3] {
        let current = current.total(simd);
        let e = simd.add(simd.mul(alpha, before_e), current);
        let i = simd.sub(simd.mul(beta, before_i), current);
        let u = simd.mul(tau, simd.add(e, i));
        match reset.mechanism {
            Mechanism::Subtract => {
                // `(-i)·R`, signs of zero included.
                let (minus_one, minus_zero) = (simd.splat(-1.0), simd.splat(-0.0));
                let minus = simd.select(reset.flag, minus_one, minus_zero);
                [
                    reset.subtract(simd, e),
                    erase(simd, reset, i),
                    simd.sub(u, simd.mul(before_i, minus)),
                ]
            }
            Mechanism::Zero => [
                erase(simd, reset, e),
                erase(simd, reset, i),
                erase(simd, reset, u),
            ],
            Mechanism::None | Mechanism::SubtractBeta => [e, i, u],
        }
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [alpha, beta, tau]: [S::F32; 3],
        [e, i, _]: [S::F32; 3],
        _: Current<S>,
        [to_e, to_i, to_u]: [S::F32; 3],
    ) -> Adjoint<S, Self> {
        let zero = simd.splat(0.0);
        let spared_e = simd.select(reset.flag, zero, to_e);
        let spared_i = simd.select(reset.flag, zero, to_i);
        let spared_u = simd.select(reset.flag, zero, to_u);
        // The last is the share of `i` before the step that "subtract" adds to the membrane.
        let [direct_e, direct_i, to_product, returned] = match reset.mechanism {
            Mechanism::Subtract => [to_e, spared_i, to_u, simd.select(reset.flag, to_u, zero)],
            Mechanism::Zero => [spared_e, spared_i, spared_u, zero],
            Mechanism::None | Mechanism::SubtractBeta => [to_e, to_i, to_u, zero],
        };
        let to_sum = simd.mul(tau, to_product);
        let (whole_e, whole_i) = (simd.add(direct_e, to_sum), simd.add(direct_i, to_sum));
        // The current cancels in the sum of both synapses.
        let sum = simd.add(simd.mul(alpha, e), simd.mul(beta, i));
        Adjoint {
            current: simd.sub(direct_e, direct_i),
            state: [
                simd.mul(alpha, whole_e),
                simd.add(simd.mul(beta, whole_i), returned),
                zero,
            ],
            parameters: [
                simd.mul(whole_e, e),
                simd.mul(whole_i, i),
                simd.mul(to_product, sum),
            ],
            threshold: reset.subtract_to_threshold(simd, to_e),
        }
    }
}
