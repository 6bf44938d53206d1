//! The exponential function.

use crate::simd::Simd;

/// `e^x`, to about one unit in the last place: ∞ above 88.7, 0 below -104, NaN for NaN.
///
/// `x = n·ln 2 + r` with `|r| ≤ ln 2 / 2`, and `e^r` by its Taylor series, which has converged to
/// single precision after the seventh power.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    // The part of ln 2 whose product with `n` is exact, and the rest.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Beyond these the result is 0 or ∞ in any case. A comparison with NaN is false and keeps it.
    const LOWEST: f32 = -110.0;
    const HIGHEST: f32 = 90.0;

    let (lowest, highest) = (simd.splat(LOWEST), simd.splat(HIGHEST));
    let x = simd.select(simd.gt(lowest, x), lowest, x);
    let x = simd.select(simd.gt(x, highest), highest, x);

    let n = integer(simd, simd.mul(x, simd.splat(core::f32::consts::LOG2_E)));
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
    // 2ⁿ alone may be no normal number, where the result is or is not.
    let half = integer(simd, simd.mul(n, simd.splat(0.5)));
    let rest = simd.sub(n, half);
    simd.mul(
        simd.mul(sum, simd.exp2_integer(half)),
        simd.exp2_integer(rest),
    )
}

/// The nearest integer, for numbers below 2²².
#[inline(always)]
fn integer<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    // Beyond 2²³ floats are integers.
    let round = simd.splat(12_582_912.0);
    simd.sub(simd.add(x, round), round)
}

#[cfg(test)]
mod tests {
    use super::exp;
    use crate::simd::{Isa, Kernel, Simd, dispatch};

    struct Exp<'a>(&'a [f32], &'a mut [f32]);
    impl Kernel for Exp<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for (x, y) in self.0.chunks(S::LANES).zip(self.1.chunks_mut(S::LANES)) {
                simd.store_partial(y, exp(simd, simd.load_partial(x)));
            }
        }
    }

    fn of(isa: Isa, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; x.len()];
        dispatch(isa, Exp(x, &mut y));
        y
    }

    /// From below the smallest result to above the largest.
    fn range() -> Vec<f32> {
        (-112_000..=92_000).map(|i| i as f32 / 1000.0).collect()
    }

    #[test]
    fn agrees_with_the_standard_library() {
        let x = range();
        for (&x, y) in x.iter().zip(of(Isa::Scalar, &x)) {
            let exact = f64::from(x).exp();
            if exact > f64::from(f32::MAX) {
                assert_eq!(y, f32::INFINITY, "e^{x}");
                continue;
            }
            // Below the normal numbers, results lie this far apart.
            let bound = 2.5e-7 * exact.max(f64::from(f32::MIN_POSITIVE));
            assert!(
                (f64::from(y) - exact).abs() < bound,
                "e^{x} = {y}, not {exact}"
            );
        }
    }

    #[test]
    fn every_instruction_set_returns_the_same_bits() {
        let x = range();
        let bits = |isa| -> Vec<u32> { of(isa, &x).into_iter().map(f32::to_bits).collect() };
        for &isa in Isa::available() {
            assert_eq!(bits(isa), bits(Isa::Scalar), "{isa:?}");
        }
    }

    #[test]
    fn limits() {
        let smallest = f32::from_bits(1);
        let x = [f32::NEG_INFINITY, -1e30, -103.28, -0.0, 0.0, smallest];
        let wanted = [0.0, 0.0, smallest, 1.0, 1.0, 1.0];
        let high = [f32::INFINITY, 1e30, 88.73];
        for &isa in Isa::available() {
            assert_eq!(of(isa, &x), wanted, "{isa:?}");
            assert_eq!(of(isa, &high), [f32::INFINITY; 3], "{isa:?}");
            assert!(of(isa, &[f32::NAN])[0].is_nan(), "{isa:?}");
        }
    }
}
