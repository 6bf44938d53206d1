//! `e^x` from plain multiplications and additions, so that every instruction set returns the same
//! bits.

use crate::simd::Simd;

/// `e^x` for `x ≤ 0`, to about one unit in the last place; 0 below -87.
///
/// `x = n·ln 2 + r` with `|r| ≤ ln 2 / 2`, and `e^r` by its Taylor series, which has converged to
/// single precision after the seventh power.
#[inline(always)]
pub(super) fn exp_negative<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    // Adding and subtracting 1.5·2²³ rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    // The part of ln 2 whose product with `n` is exact, and the rest.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const LOWEST: f32 = -87.0;

    let underflow = simd.gt(simd.splat(LOWEST), x);
    let x = simd.select(underflow, simd.splat(LOWEST), x);
    let scaled = simd.mul(x, simd.splat(std::f32::consts::LOG2_E));
    let n = simd.sub(simd.add(scaled, simd.splat(ROUND)), simd.splat(ROUND));
    let r = simd.sub(x, simd.mul(n, simd.splat(LN_2_HIGH)));
    let r = simd.sub(r, simd.mul(n, simd.splat(LN_2_LOW)));
    let series = [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    let mut sum = simd.splat(1.0 / 5040.0);
    for coefficient in series {
        sum = simd.add(simd.mul(sum, r), simd.splat(coefficient));
    }
    simd.select(
        underflow,
        simd.splat(0.0),
        simd.mul(sum, simd.exp2_integer(n)),
    )
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
    fn agrees_with_the_standard_library() {
        let x: Vec<f32> = (0..=87_000).map(|i| -(i as f32) / 1000.0).collect();
        for &isa in Isa::available() {
            let mut y = vec![0.0; x.len()];
            dispatch(isa, Exp(&x, &mut y));
            for (&x, &y) in x.iter().zip(&y) {
                let exact = f64::from(x).exp();
                assert!(
                    (f64::from(y) / exact - 1.0).abs() < 2.5e-7,
                    "{isa:?}: e^{x} = {y}, not {exact}"
                );
            }
        }
    }

    #[test]
    fn limits() {
        for &isa in Isa::available() {
            let mut y = [1.0; 4];
            dispatch(
                isa,
                Exp(&[f32::NEG_INFINITY, -100.0, -0.0, f32::NAN], &mut y),
            );
            assert_eq!(y[..3], [0.0, 0.0, 1.0]);
            assert!(y[3].is_nan());
        }
    }
}
