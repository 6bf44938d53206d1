//! Products of spikes, bit for bit against plain loops.

use bitspike::Error;
use bitspike::matmul::{Matrix, prefers_dense, product, small_dense_product, weight_gradient};
use bitspike::simd::Isa;
use bitspike::spikes::{layout::words, pack};
use proptest::prelude::*;

/// A number in `-1.0..1.0` that depends on its position and the seed only.
fn number(seed: u64, position: usize) -> f32 {
    let mut x = (position as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 40) as f32 / (1 << 23) as f32 - 1.0
}

fn numbers(seed: u64, len: usize) -> Vec<f32> {
    (0..len).map(|position| number(seed, position)).collect()
}

/// Dense spikes, and the same as bits.
fn spikes(seed: u64, rows: usize, inputs: usize, density: f32) -> (Vec<bool>, Vec<u64>) {
    let dense: Vec<bool> = numbers(seed, rows * inputs)
        .iter()
        .map(|x| x * 0.5 + 0.5 < density)
        .collect();
    let bytes: Vec<u8> = dense.iter().map(|&spike| u8::from(spike)).collect();
    let mut bits = vec![0; rows * words(inputs)];
    pack(Isa::Scalar, &bytes, rows, inputs, &mut bits).expect("lengths fit");
    (dense, bits)
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// Rows, inputs, outputs: small ones, and ones that need several blocks, slabs, chunks, tiles and
/// items of work.
fn shape() -> impl Strategy<Value = [usize; 3]> {
    prop_oneof![
        3 => (0usize..70, 0usize..200, 0usize..150).prop_map(|(r, k, n)| [r, k, n]),
        1 => (250usize..600, 0usize..300, 0usize..80).prop_map(|(r, k, n)| [r, k, n]),
        1 => (0usize..10, 1900usize..4500, 0usize..40).prop_map(|(r, k, n)| [r, k, n]),
        1 => (1900usize..4500, 0usize..10, 0usize..40).prop_map(|(r, k, n)| [r, k, n]),
        1 => prop::sample::select(vec![[17_000, 3, 2], [3, 17_000, 2]]),
    ]
}

fn density() -> impl Strategy<Value = f32> {
    prop::sample::select(vec![0.0, 0.01, 0.05, 0.3, 0.6, 1.0])
}

/// A matrix of the given shape, laid out row by row, column by column, or with gaps.
fn matrix(data: &[f32], shape: [usize; 2], layout: u8) -> Result<Matrix<'_>, Error> {
    let [rows, columns] = shape;
    let strides = match layout {
        0 => [columns, 1],
        1 => [1, rows],
        2 => [2 * columns, 2],
        _ => [0, 1],
    };
    Matrix::new("matrix", data, shape, strides)
}

fn element(data: &[f32], [rows, columns]: [usize; 2], layout: u8, i: usize, j: usize) -> f32 {
    match layout {
        0 => data[i * columns + j],
        1 => data[i + j * rows],
        2 => data[2 * (i * columns + j)],
        _ => data[j],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn product_equals_plain_loops(
        [rows, inputs, outputs] in shape(),
        density in density(),
        layout in 0u8..4,
        with_bias: bool,
        seed: u64,
    ) {
        let (dense, packed) = spikes(seed, rows, inputs, density);
        let data = numbers(!seed, 2 * inputs * outputs + outputs);
        let bias = with_bias.then(|| numbers(seed / 2, outputs));
        let shape = [inputs, outputs];
        let mut expected = vec![0.0; rows * outputs];
        for r in 0..rows {
            for n in 0..outputs {
                let mut sum = 0.0f32;
                for k in (0..inputs).filter(|k| dense[r * inputs + k]) {
                    sum += element(&data, shape, layout, k, n);
                }
                expected[r * outputs + n] = bias.as_ref().map_or(sum, |bias| sum + bias[n]);
            }
        }
        for &isa in Isa::available() {
            let mut out = vec![f32::NAN; rows * outputs];
            let weights = matrix(&data, shape, layout)?;
            product(isa, &packed, rows, weights, bias.as_deref(), &mut out)?;
            prop_assert_eq!(bits(&out), bits(&expected), "{:?}", isa);
        }
    }

    #[test]
    fn weight_gradient_equals_plain_loops(
        [rows, inputs, outputs] in shape(),
        density in density(),
        layout in 0u8..4,
        seed: u64,
    ) {
        let (dense, packed) = spikes(seed, rows, inputs, density);
        let data = numbers(!seed, 2 * rows * outputs + outputs);
        let shape = [rows, outputs];
        let mut expected = vec![0.0; outputs * inputs];
        for n in 0..outputs {
            for k in 0..inputs {
                for r in (0..rows).filter(|r| dense[r * inputs + k]) {
                    expected[n * inputs + k] += element(&data, shape, layout, r, n);
                }
            }
        }
        for &isa in Isa::available() {
            let mut out = vec![f32::NAN; outputs * inputs];
            weight_gradient(isa, &packed, inputs, matrix(&data, shape, layout)?, &mut out, None)?;
            prop_assert_eq!(bits(&out), bits(&expected), "{:?}", isa);
        }
    }

    #[test]
    fn small_dense_product_equals_plain_loops(
        [rows, inputs, outputs] in (0usize..40, 0usize..50, 0usize..150).prop_map(|(r, k, n)| [r, k, n]),
        layout in 0u8..4,
        seed: u64,
    ) {
        let dense = numbers(seed, rows * inputs);
        let data = numbers(!seed, 2 * inputs * outputs + outputs);
        let shape = [inputs, outputs];
        let mut expected = vec![0.0; rows * outputs];
        for r in 0..rows {
            for n in 0..outputs {
                let sum = &mut expected[r * outputs + n];
                for k in 0..inputs {
                    *sum = dense[r * inputs + k].mul_add(element(&data, shape, layout, k, n), *sum);
                }
            }
        }
        for &isa in Isa::available() {
            let mut out = vec![f32::NAN; rows * outputs];
            small_dense_product(isa, &dense, rows, matrix(&data, shape, layout)?, &mut out)?;
            prop_assert_eq!(bits(&out), bits(&expected), "{:?}", isa);
        }
    }
}

#[test]
fn wrong_lengths_are_refused_by_name() {
    let data = [0.0; 6];
    let isa = Isa::Scalar;
    let weights = Matrix::new("weights", &data, [3, 2], [2, 1]).expect("it fits");
    let length = |what, found, expected| {
        Err(Error::Length {
            what,
            found,
            expected,
        })
    };
    assert_eq!(
        product(isa, &[0; 3], 2, weights, None, &mut [0.0; 4]),
        length("spikes", 3, 2)
    );
    assert_eq!(
        product(isa, &[0; 2], 2, weights, None, &mut [0.0; 5]),
        length("out", 5, 4)
    );
    assert_eq!(
        product(isa, &[0; 2], 2, weights, Some(&[0.0]), &mut [0.0; 4]),
        length("bias", 1, 2)
    );
    assert_eq!(
        weight_gradient(isa, &[0; 2], 5, weights, &mut [0.0; 10], None),
        length("spikes", 2, 3)
    );
    assert_eq!(
        weight_gradient(isa, &[0; 3], 5, weights, &mut [0.0; 9], None),
        length("out", 9, 10)
    );
    assert_eq!(
        small_dense_product(isa, &[0.0; 5], 2, weights, &mut [0.0; 4]),
        length("data", 5, 6)
    );
    assert_eq!(
        small_dense_product(isa, &[0.0; 6], 2, weights, &mut [0.0; 5]),
        length("out", 5, 4)
    );
    assert_eq!(
        product(isa, &[], usize::MAX, weights, None, &mut []),
        Err(Error::Length {
            what: "spikes",
            found: 0,
            expected: usize::MAX
        })
    );
    assert_eq!(
        product(isa, &[], usize::MAX, weights.transposed(), None, &mut []),
        Err(Error::Length {
            what: "spikes",
            found: 0,
            expected: usize::MAX
        })
    );
}

#[test]
fn a_matrix_beyond_its_buffer_is_refused() {
    let new = |shape, strides| Matrix::new("grad", &[0.0; 6], shape, strides).map(|m| m.shape());
    assert_eq!(new([3, 2], [2, 1]), Ok([3, 2]));
    assert_eq!(new([1000, 6], [0, 1]), Ok([1000, 6]));
    assert_eq!(new([0, 1000], [1000, 1]), Ok([0, 1000]));
    let reach = |reach| {
        Err(Error::Stride {
            what: "grad",
            found: 6,
            reach,
        })
    };
    assert_eq!(new([3, 2], [3, 1]), reach(7));
    assert_eq!(new([3, 3], [2, 1]), reach(6));
    assert_eq!(
        new([3, 1], [usize::MAX, 1]),
        Err(Error::Overflow { what: "grad" })
    );
    assert_eq!(
        new([2, 2], [usize::MAX, 1]),
        Err(Error::Overflow { what: "grad" })
    );
}

#[test]
fn dense_is_preferred_for_many_spikes_and_few_rows() {
    for isa in Isa::ALL {
        assert!(!prefers_dense(isa, 0.1, 8000, 512));
        assert!(prefers_dense(isa, 1.0, 8000, 512));
        assert!(prefers_dense(isa, 0.0, 0, 512));
        assert!(prefers_dense(isa, 0.01, 1, 512));
    }
    assert!(!prefers_dense(Isa::Avx2, 0.5, 8000, 512));
}

#[test]
fn padding_bits_are_refused() {
    let weights = Matrix::new("weights", &[1.0, 2.0, 3.0], [3, 1], [1, 1]).expect("it fits");
    let refused = product(Isa::Scalar, &[0b1000], 1, weights, None, &mut [0.0]);
    assert_eq!(refused, Err(Error::Padding { neurons: 3 }));
}

#[test]
fn the_gradient_of_the_bias_is_the_sum_of_columns() {
    for (rows, inputs, outputs) in [(1, 1, 1), (5000, 70, 130), (3, 0, 5), (0, 4, 5), (7, 4, 0)] {
        let data = numbers(3, rows * outputs);
        let grad = Matrix::new("grad", &data, [rows, outputs], [outputs, 1]).expect("it fits");
        let (_, packed) = spikes(4, rows, inputs, 0.1);
        let mut first: Option<Vec<f32>> = None;
        for &isa in Isa::available() {
            let (mut out, mut bias) = (vec![0.0; outputs * inputs], vec![f32::NAN; outputs]);
            weight_gradient(isa, &packed, inputs, grad, &mut out, Some(&mut bias))
                .expect("it fits");
            for (column, &sum) in bias.iter().enumerate() {
                let terms = data.iter().skip(column).step_by(outputs.max(1));
                let exact: f64 = terms.map(|&x| f64::from(x)).sum();
                assert!(
                    (f64::from(sum) - exact).abs() < 1e-4,
                    "{isa:?}: {sum} for {exact}"
                );
            }
            assert_eq!(&bias, first.get_or_insert_with(|| bias.clone()), "{isa:?}");
        }
    }
}
