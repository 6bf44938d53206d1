//! Lanes as bits, and lanes from and to slices of every length.

use bitspike::simd::{Isa, Kernel, Portable, Simd, dispatch};

/// What a token makes of powers of two, of bits and of slices of every length.
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
fn powers_bits_and_slices() {
    Rest.run(Portable);
    for &isa in Isa::available() {
        dispatch(isa, Rest);
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
