//! The resonate-and-fire neuron.

use super::{Adjoint, Current, Delayed, Mechanism, Neuron};
use crate::simd::Simd;

/// `z ← p·z + I` with a complex state `z = re + i·im` and a complex factor `p`, which turns it and
/// damps it. It fires on the imaginary part, on which resets act; "zero" erases all of that.
#[derive(Clone, Copy, Debug)]
pub struct ResonateAndFire;

impl Neuron for ResonateAndFire {
    const NAME: &'static str = "resonate_and_fire";
    const PARAMETERS: &'static [&'static str] = &["factor_re", "factor_im"];
    const STATES: &'static [&'static str] = &["re", "im"];
    const RESETS: &'static [Mechanism] = &[Mechanism::Subtract, Mechanism::Zero, Mechanism::None];

    type Parameters<S: Simd> = [S::F32; 2];
    type State<S: Simd> = [S::F32; 2];

    #[inline(always)]
    fn integrate<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [p, q]: [S::F32; 2],
        [re, im]: [S::F32; 2],
        current: Current<S>,
    ) -> [S::F32; 2] {
        let turned = simd.sub(simd.mul(p, re), simd.mul(q, im));
        let im = simd.add(simd.mul(q, re), simd.mul(p, im));
        [
            current.onto(simd, turned),
            reset.subtract(simd, reset.erase(simd, im)),
        ]
    }

    #[inline(always)]
    fn adjoint<S: Simd>(
        simd: S,
        reset: &Delayed<S>,
        [p, q]: [S::F32; 2],
        [re, im]: [S::F32; 2],
        _: Current<S>,
        [to_re, to_im]: [S::F32; 2],
    ) -> Adjoint<S, Self> {
        let turned = reset.kept(simd, to_im);
        Adjoint {
            current: to_re,
            state: [
                simd.add(simd.mul(p, to_re), simd.mul(q, turned)),
                simd.sub(simd.mul(p, turned), simd.mul(q, to_re)),
            ],
            parameters: [
                simd.add(simd.mul(re, to_re), simd.mul(im, turned)),
                simd.sub(simd.mul(re, turned), simd.mul(im, to_re)),
            ],
            threshold: reset.subtract_to_threshold(simd, to_im),
        }
    }
}
