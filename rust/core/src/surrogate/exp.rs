//! `e^x` of surrogates, without the numbers that make CPUs slow.

use crate::math::exp;
use crate::simd::Simd;

/// `e^x` for `x ≤ 0`; 0 below -87, where it leaves the normal numbers. Far from the threshold it is
/// a factor of gradients, and many CPUs take a hundred times longer to multiply a subnormal one.
#[inline(always)]
pub(super) fn exp_negative<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let underflow = simd.gt(simd.splat(-87.0), x);
    simd.select(underflow, simd.splat(0.0), exp(simd, x))
}

#[cfg(test)]
mod tests {
    use super::exp_negative;
    use crate::simd::{Isa, Kernel, Simd, dispatch};

    struct Exp<'a>(&'a [f32], &'a mut [f32]);
    impl Kernel for Exp<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for (x, y) in self.0.chunks(S::LANES).zip(self.1.chunks_mut(S::LANES)) {
                simd.store_partial(y, exp_negative(simd, simd.load_partial(x)));
            }
        }
    }

    #[test]
    fn normal_numbers_or_zero() {
        let x = [f32::NEG_INFINITY, -100.0, -87.1, -86.9, -1.0, -0.0];
        for &isa in Isa::available() {
            let mut y = [f32::NAN; 6];
            dispatch(isa, Exp(&x, &mut y));
            assert_eq!(y[..3], [0.0; 3]);
            assert!(y[3..].iter().all(|y| y.is_normal()));
            assert!((y[4] - (-1.0f32).exp()).abs() < 1e-7 && y[5] == 1.0);
            let mut nan = [0.0];
            dispatch(isa, Exp(&[f32::NAN], &mut nan));
            assert!(nan[0].is_nan());
        }
    }
}
