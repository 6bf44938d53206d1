//! Products of spikes with weights of 1 bit and of three values, against sums of plain integers.

use bitspike::Error;
use bitspike::matmul::{Affine, Planes, plane_product, scaled_plane_product};
use bitspike::simd::Isa;
use bitspike::spikes::{layout::words, pack};
use proptest::prelude::*;

/// A number in `0..range` that depends on its position and the seed only.
fn number(seed: u64, position: usize, range: u64) -> u64 {
    let mut x = (position as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) % range
}

fn packed(rows: usize, columns: usize, is_set: impl Fn(usize) -> bool) -> Vec<u64> {
    let bytes: Vec<u8> = (0..rows * columns).map(|i| u8::from(is_set(i))).collect();
    let mut bits = vec![0; rows * words(columns)];
    pack(Isa::Scalar, &bytes, rows, columns, &mut bits).expect("lengths fit");
    bits
}

/// A product: spikes `[rows, inputs]` and weights `[outputs, inputs]`, plain and as bits.
struct Case {
    rows: usize,
    spikes: Vec<u64>,
    positive: Vec<u64>,
    negative: Option<Vec<u64>>,
    shape: [usize; 2],
    sums: Vec<i32>,
}

impl Case {
    fn new(seed: u64, [rows, inputs, outputs]: [usize; 3], in_ten: u64, is_ternary: bool) -> Self {
        let fires = |i| number(seed, i, 10) < in_ten;
        let weight = |i| match number(seed ^ 1, i, 3) {
            0 => 1,
            1 if is_ternary => 0,
            _ => -1_i32,
        };
        let sum = |i: usize| {
            let (row, output) = (i / outputs, i % outputs);
            let active = (0..inputs).filter(|k| fires(row * inputs + k));
            active.map(|k| weight(output * inputs + k)).sum()
        };
        Self {
            rows,
            spikes: packed(rows, inputs, fires),
            positive: packed(outputs, inputs, |i| weight(i) == 1),
            negative: is_ternary.then(|| packed(outputs, inputs, |i| weight(i) == -1)),
            shape: [outputs, inputs],
            sums: (0..rows * outputs).map(sum).collect(),
        }
    }

    fn weights(&self) -> Planes<'_> {
        match &self.negative {
            Some(negative) => Planes::ternary(&self.positive, negative, self.shape),
            None => Planes::binary(&self.positive, self.shape),
        }
        .expect("planes fit")
    }
}

/// Rows, inputs, outputs: around the ends of words, lines, tiles and blocks of rows.
fn shape() -> impl Strategy<Value = [usize; 3]> {
    prop_oneof![
        4 => (0usize..7, 0usize..200, 0usize..40).prop_map(|(r, k, n)| [r, k, n]),
        1 => (60usize..140, 0usize..70, 0usize..20).prop_map(|(r, k, n)| [r, k, n]),
        1 => prop::sample::select(vec![[3, 1024, 17], [2, 4099, 9], [130, 64, 8], [1, 63, 16]]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn bits_count_what_integers_add_up_to(
        shape in shape(),
        in_ten in prop::sample::select(vec![0_u64, 1, 5, 10]),
        is_ternary: bool,
        seed: u64,
    ) {
        let case = Case::new(seed, shape, in_ten, is_ternary);
        for &isa in Isa::available() {
            let mut out = vec![7; case.sums.len()];
            plane_product(isa, &case.spikes, case.rows, case.weights(), &mut out)?;
            prop_assert_eq!(&out, &case.sums, "{}", isa.name());
        }
    }

    #[test]
    fn scales_and_biases_round_once_each(shape in shape(), is_ternary: bool, biased: bool, seed: u64) {
        let case = Case::new(seed, shape, 4, is_ternary);
        let outputs = shape[2];
        let scale: Vec<f32> = (0..outputs).map(|i| 0.1 + i as f32 / 7.0).collect();
        let bias: Vec<f32> = (0..outputs).map(|i| 0.3 - i as f32 / 3.0).collect();
        let wanted: Vec<u32> = case.sums.iter().enumerate().map(|(i, &sum)| {
            let product = sum as f32 * scale[i % outputs];
            if biased { product + bias[i % outputs] } else { product }.to_bits()
        }).collect();
        let bias = biased.then_some(&*bias);
        for &isa in Isa::available() {
            let mut out = vec![f32::NAN; case.sums.len()];
            scaled_plane_product(
                isa, &case.spikes, case.rows, case.weights(), Affine { scale: &scale, bias }, &mut out,
            )?;
            let bits: Vec<u32> = out.iter().map(|x| x.to_bits()).collect();
            prop_assert_eq!(bits, &*wanted, "{}", isa.name());
        }
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let length = |result: Result<(), Error>| match result {
        Err(Error::Length { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let refused = |result: Result<Planes<'_>, Error>| length(result.map(|_| ()));
    assert_eq!(refused(Planes::binary(&[0; 3], [2, 64])), "positive");
    assert_eq!(
        refused(Planes::ternary(&[0; 2], &[0; 3], [2, 64])),
        "negative"
    );
    let weights = Planes::binary(&[0; 2], [2, 3]).expect("fits");
    let isa = Isa::Scalar;
    let mut out = [0; 2];
    assert_eq!(
        length(plane_product(isa, &[0; 2], 1, weights, &mut out)),
        "spikes"
    );
    assert_eq!(
        length(plane_product(isa, &[0], 1, weights, &mut out[..1])),
        "out"
    );
    let padding = plane_product(isa, &[0b1000], 1, weights, &mut out);
    assert!(matches!(padding, Err(Error::Padding { neurons: 3 })));
    let of = |scale, bias| {
        scaled_plane_product(isa, &[0], 1, weights, Affine { scale, bias }, &mut [0.0; 2])
    };
    assert_eq!(length(of(&[1.0], None)), "scale");
    assert_eq!(length(of(&[1.0; 2], Some(&[1.0]))), "bias");
}
