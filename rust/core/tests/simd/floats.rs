//! Operations on floats.

use bitspike::simd::{Isa, Kernel, Portable, Simd, dispatch};

/// Numbers at which floats behave unusually, and others.
fn numbers() -> Vec<f32> {
    let special = [
        0.0,
        1.0,
        1.5,
        f32::MIN_POSITIVE,
        f32::from_bits(1),
        f32::EPSILON,
        16_777_216.0,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    let ordinary = (0..500u32).map(|i| {
        let bits = i.wrapping_mul(0x9e37_79b9);
        f32::from_bits(bits ^ bits >> 15)
    });
    let special = special.into_iter().flat_map(|x| [x, -x]);
    special.chain(ordinary).collect()
}

/// Runs one operation on all numbers, vector by vector, the last one partial.
struct Each<F>(F, Vec<[f32; 2]>);

/// An operation on two vectors.
trait Operation {
    fn run<S: Simd>(&self, simd: S, a: S::F32, b: S::F32) -> S::F32;
}

impl<F: Operation> Kernel for Each<F> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<f32> {
        let [a, b] = [0, 1].map(|k| self.1.iter().map(|pair| pair[k]).collect::<Vec<_>>());
        let mut results = vec![0.0; a.len()];
        let operands = a.chunks(S::LANES).zip(b.chunks(S::LANES));
        for (result, (a, b)) in results.chunks_mut(S::LANES).zip(operands) {
            let [a, b] = [a, b].map(|x| simd.load_partial(x));
            simd.store_partial(result, self.0.run(simd, a, b));
        }
        results
    }
}

/// All pairs of [`numbers`].
fn pairs() -> Vec<[f32; 2]> {
    let numbers = numbers();
    numbers
        .iter()
        .flat_map(|&a| numbers.iter().map(move |&b| [a, b]))
        .collect()
}

#[track_caller]
fn assert_same(
    what: &str,
    operands: &[[f32; 2]],
    found: &[f32],
    expected: impl Fn(f32, f32) -> f32,
) {
    for (&[a, b], &found) in operands.iter().zip(found) {
        let expected = expected(a, b);
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(
            same,
            "{what} of {a:e} and {b:e} is {found:e}, not {expected:e}"
        );
    }
}

/// Half of the last place of 1.
const LITTLE: f32 = f32::EPSILON / 2.0;

macro_rules! operations {
    ($($name:ident($simd:ident, $a:ident, $b:ident) = $vector:expr, $expected:expr;)*) => {$(
        #[test]
        fn $name() {
            struct This;
            impl Operation for This {
                #[inline(always)]
                fn run<S: Simd>(&self, $simd: S, $a: S::F32, $b: S::F32) -> S::F32 {
                    $vector
                }
            }
            let pairs = pairs();
            let name = stringify!($name);
            let found = Each(This, pairs.clone()).run(Portable);
            assert_same(&format!("portable {name}"), &pairs, &found, $expected);
            for &isa in Isa::available() {
                let found = dispatch(isa, Each(This, pairs.clone()));
                assert_same(&format!("{isa:?} {name}"), &pairs, &found, $expected);
            }
        }
    )*};
}

operations! {
    add(simd, a, b) = simd.add(a, b), |a, b| a + b;
    sub(simd, a, b) = simd.sub(a, b), |a, b| a - b;
    mul(simd, a, b) = simd.mul(a, b), |a, b| a * b;
    div(simd, a, b) = simd.div(a, b), |a, b| a / b;
    mul_add(simd, a, b) = simd.mul_add(a, b, a), |a, b| a.mul_add(b, a);
    what_a_product_lost(simd, a, b) = {
        let rounded = simd.mul(a, b);
        simd.mul_add(a, b, simd.sub(simd.splat(0.0), rounded))
    }, |a, b| a.mul_add(b, 0.0 - a * b);
    mul_add_of_less_than_is_kept(simd, a, b) = {
        simd.mul_add(a, b, simd.mul(b, simd.splat(LITTLE)))
    }, |a, b| a.mul_add(b, b * LITTLE);
    abs(simd, a, _b) = simd.abs(a), |a, _| a.abs();
    gt_and_select(simd, a, b) = simd.select(simd.gt(a, b), a, b), |a, b| if a > b { a } else { b };
    ge_and_select(simd, a, b) = simd.select(simd.ge(a, b), a, b), |a, b| if a >= b { a } else { b };
    bits_and_back(simd, a, b) = {
        let inverse = !simd.to_bits(simd.gt(a, b));
        simd.select(simd.to_mask(inverse), a, b)
    }, |a, b| if a > b { b } else { a };
    nonzero(simd, a, b) = simd.select(simd.nonzero(a), a, b), |a, b| if a == 0.0 { b } else { a };
}

#[test]
fn a_fused_sum_is_rounded_once() {
    // A product halfway between two floats, which a number that double precision would lose decides.
    let half = 1.0 + f32::powi(2.0, -12);
    let tiny = f32::powi(2.0, -80);
    struct Decided(f32, f32);
    impl Kernel for Decided {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f32 {
            let factor = simd.splat(self.0);
            let mut sums = vec![0.0; S::LANES];
            simd.store(&mut sums, simd.mul_add(factor, factor, simd.splat(self.1)));
            sums[S::LANES - 1]
        }
    }
    let below = 1.0 + f32::powi(2.0, -11);
    let above = below + f32::EPSILON;
    for &isa in Isa::available() {
        for (c, expected) in [(-tiny, below), (0.0, below), (tiny, above)] {
            assert_eq!(dispatch(isa, Decided(half, c)), expected, "{isa:?} {c:e}");
        }
    }
}
