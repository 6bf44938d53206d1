//! The current with which the sodium channels answer to a rising membrane, in the exponential
//! integrate-and-fire neurons.

use crate::math::exp;
use crate::simd::Simd;

/// Where the exponent stops growing: it is then so steep that the spike comes within the step, and a
/// membrane far above threshold does not overflow.
const CAP: f32 = 10.0;

/// `Δ_T·exp((u - V_T)/Δ_T)`, with an exponent of at most [`CAP`], and what its adjoint needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upstroke<S: Simd> {
    /// The current.
    pub(super) current: S::F32,
    exponential: S::F32,
    exponent: S::F32,
    capped: S::Mask,
}

impl<S: Simd> Upstroke<S> {
    #[inline(always)]
    pub(super) fn new(simd: S, u: S::F32, v_t: S::F32, delta_t: S::F32) -> Self {
        let cap = simd.splat(CAP);
        let exponent = simd.div(simd.sub(u, v_t), delta_t);
        let capped = simd.gt(exponent, cap);
        let exponent = simd.select(capped, cap, exponent);
        let exponential = exp(simd, exponent);
        Self {
            current: simd.mul(delta_t, exponential),
            exponential,
            exponent,
            capped,
        }
    }

    /// The gradients of `u` and `Δ_T`, for that of the current; that of `V_T` is the negative of
    /// the first.
    #[inline(always)]
    pub(super) fn adjoint(&self, simd: S, gradient: S::F32) -> [S::F32; 2] {
        let zero = simd.splat(0.0);
        let through = simd.mul(gradient, self.exponential);
        let to_u = simd.select(self.capped, zero, through);
        let by_exponent = simd.mul(to_u, self.exponent);
        [to_u, simd.sub(through, by_exponent)]
    }
}
