//! Operations on integers.

use bitspike::simd::{Isa, Kernel, Portable, Simd, dispatch};

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
