//! Every operation of every token, against plain Rust on one number at a time.

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

/// What a token makes of integers, of bits and of slices of every length.
struct Rest;

impl Kernel for Rest {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for n in -126..=127 {
            let mut powers = vec![0.0; S::LANES];
            simd.store(&mut powers, simd.exp2_integer(simd.splat(n as f32)));
            assert_eq!(powers, vec![f32::powi(2.0, n); S::LANES]);
        }
        for bits in (0..u64::from(u16::MAX)).chain([u64::MAX, 1 << 63]) {
            let lanes = u64::MAX >> (64 - S::LANES);
            assert_eq!(simd.to_bits(simd.to_mask(bits)), bits & lanes, "{bits:b}");

            let mut numbers = vec![0.0; S::LANES];
            (0..S::LANES).for_each(|i| numbers[i] = i as f32);
            let mut to = vec![0.0; S::LANES + 1];
            simd.compress(&mut to, bits, simd.load(&numbers));
            let chosen = (0..S::LANES).filter(|i| bits >> i & 1 == 1);
            let chosen: Vec<_> = chosen.map(|i| i as f32).collect();
            assert_eq!(to[..chosen.len()], chosen, "{bits:b}");
            assert_eq!(to[S::LANES], 0.0);
        }
        let numbers: Vec<_> = (1..=40).map(|i| i as f32).collect();
        for len in 0..=numbers.len() {
            let mut lanes = vec![f32::NAN; S::LANES];
            simd.store(&mut lanes, simd.load_partial(&numbers[..len]));
            let expected = |i| if i < len { numbers[i] } else { 0.0 };
            assert_eq!(lanes, (0..S::LANES).map(expected).collect::<Vec<_>>());

            let mut to = vec![f32::INFINITY; len];
            simd.store_partial(&mut to, simd.splat(-1.0));
            let expected = |i| if i < S::LANES { -1.0 } else { f32::INFINITY };
            assert_eq!(to, (0..len).map(expected).collect::<Vec<_>>());
        }
        // From every alignment that a float can have within a line, and behind the end untouched.
        for start in 0..16 {
            let mut to = [0.0; 40];
            let lanes = simd.load(&numbers[start..]);
            simd.prefetch(&numbers[start..]);
            simd.stream(&mut to[start..], lanes);
            simd.drain();
            let end = start + S::LANES;
            assert_eq!(to[start..end], numbers[start..end]);
            assert!(to[..start].iter().chain(&to[end..]).all(|&x| x == 0.0));
        }
    }
}

#[test]
fn integers_bits_and_slices() {
    Rest.run(Portable);
    for &isa in Isa::available() {
        dispatch(isa, Rest);
    }
}

/// Integers at which arithmetic wraps around, and others.
fn integers() -> Vec<i32> {
    let special = [
        0,
        1,
        2,
        127,
        255,
        32_767,
        32_768,
        65_535,
        65_536,
        16_777_217,
        i32::MAX,
    ];
    let ordinary = (0..40_i32).map(|i| i.wrapping_mul(0x9e37_79b9_u32 as i32));
    let special = special.into_iter().flat_map(|x: i32| [x, -x, !x]);
    special.chain(ordinary).collect()
}

/// What a token makes of integers.
struct Exact;

impl Kernel for Exact {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let numbers = integers();
        let pairs: Vec<_> = numbers
            .iter()
            .flat_map(|&a| numbers.iter().map(move |&b| (a, b)))
            .collect();
        for pairs in pairs.chunks_exact(S::LANES) {
            let (a, b): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let (x, y) = (simd.load_i32(&a), simd.load_i32(&b));
            let check = |what: &str, found: S::I32, expected: fn(i32, i32) -> i32| {
                let mut lanes = vec![0; S::LANES + 1];
                simd.store_i32(&mut lanes, found);
                assert_eq!(lanes.pop(), Some(0));
                let expected: Vec<_> = pairs.iter().map(|&(a, b)| expected(a, b)).collect();
                assert_eq!(lanes, expected, "{what} of {pairs:?}");
            };
            check("add", simd.add_i32(x, y), i32::wrapping_add);
            check("sub", simd.sub_i32(x, y), i32::wrapping_sub);
            check("mul", simd.mul_i32(x, y), i32::wrapping_mul);
            check("and", simd.and_i32(x, y), |a, b| a & b);
            check("shift", simd.shift_right_i32(x, 5), |a, _| a >> 5);
            check("sign", simd.shift_right_i32(x, 31), |a, _| a >> 31);
            let larger = simd.gt_i32(x, y);
            check("larger", simd.select_i32(larger, x, y), i32::max);
            let mut floats = vec![0.0; S::LANES];
            simd.store(&mut floats, simd.to_f32(x));
            assert_eq!(floats, a.iter().map(|&a| a as f32).collect::<Vec<_>>());

            let halves = |x: &[i32]| {
                x.iter()
                    .flat_map(|x| [*x as i16, (x >> 16) as i16])
                    .collect::<Vec<_>>()
            };
            let (a, b) = (halves(&a), halves(&b));
            let (x, y) = (simd.load_i16(&a), simd.load_i16(&b));
            let [low, high] = simd.widen(simd.add_i16(x, y));
            let mut sums = vec![0; 2 * S::LANES];
            simd.store_i32(&mut sums, low);
            simd.store_i32(&mut sums[S::LANES..], high);
            let expected = a.iter().zip(&b).map(|(a, b)| i32::from(a.wrapping_add(*b)));
            assert_eq!(sums, expected.collect::<Vec<_>>());
            for (pair, other) in [([a[0], a[1]], &b), ([i16::MIN, i16::MIN], &a)] {
                let mut dots = vec![0; S::LANES];
                simd.store_i32(
                    &mut dots,
                    simd.dot(simd.splat_i16(pair), simd.load_i16(other)),
                );
                let [p, q] = pair.map(i32::from);
                let expected = other
                    .chunks(2)
                    .map(|b| (p * i32::from(b[0])).wrapping_add(q * i32::from(b[1])));
                assert_eq!(dots, expected.collect::<Vec<_>>());
            }
            // Of bytes, the largest sums that fit.
            let bytes: Vec<_> = b
                .iter()
                .flat_map(|b| b.to_le_bytes().map(|b| b as i8))
                .collect();
            for pair in [[0_u8, 0], [7, 120], [127, 127], [128, 128], [255, 1]] {
                let both = i16::from_le_bytes(pair);
                let sums = simd.dot_bytes(simd.splat_i16([both; 2]), simd.load_i8(&bytes));
                let [low, high] = simd.widen(sums);
                let mut dots = vec![0; 2 * S::LANES];
                simd.store_i32(&mut dots, low);
                simd.store_i32(&mut dots[S::LANES..], high);
                let [p, q] = pair.map(i32::from);
                let expected = bytes
                    .chunks(2)
                    .map(|b| p * i32::from(b[0]) + q * i32::from(b[1]));
                assert_eq!(dots, expected.collect::<Vec<_>>(), "{pair:?}");
            }
        }
    }
}

#[test]
fn integers_are_those_of_plain_rust() {
    Exact.run(Portable);
    for &isa in Isa::available() {
        dispatch(isa, Exact);
    }
}

#[test]
#[should_panic(expected = "range end index")]
fn a_short_slice_is_refused() {
    struct Load;
    impl Kernel for Load {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let _ = simd.load(&[0.0; 7]);
        }
    }
    dispatch(Isa::Scalar, Load);
}

/// Rows and columns of a square exchanged, in rows of so many numbers.
struct Square(usize);

impl Kernel for Square {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<f32> {
        let from: Vec<Vec<f32>> = (0..8)
            .map(|j| (0..9).map(|i| (10 * i + j) as f32).collect())
            .collect();
        let mut to = vec![-1.0; 8 * self.0];
        let slices = core::array::from_fn(|j| from[j].as_slice());
        simd.transpose_square(slices, &mut to, self.0);
        to
    }
}

#[test]
fn squares_are_transposed() {
    for &isa in Isa::available() {
        for width in [8, 11, 64] {
            let found = dispatch(isa, Square(width));
            for (place, &x) in found.iter().enumerate() {
                let (i, j) = (place / width, place % width);
                let wanted = if j < 8 { (10 * i + j) as f32 } else { -1.0 };
                assert_eq!(x.to_bits(), wanted.to_bits(), "{isa:?}, {i} of {j}");
            }
        }
    }
}
