//! Weights and gradients that are infinite or NaN, against dense products.

use bitspike::matmul::{Matrix, product, weight_gradient};
use bitspike::neuron::{Mechanism, Reset};
use bitspike::recurrent::{self, Connection, Outputs};
use bitspike::registry::NeuronKind;
use bitspike::sequence::Layer;
use bitspike::simd::Isa;
use bitspike::spikes::pack;
use bitspike::tiling::{Shape, Strided};

/// Below 1, and the same in every run.
fn random(i: usize) -> f32 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32 / (1 << 24) as f32
}

fn spikes(rows: usize, inputs: usize, density: f32) -> Vec<f32> {
    let spike = |i| f32::from(u8::from(random(i) < density));
    (0..rows * inputs).map(spike).collect()
}

/// Numbers of which a few are not finite.
fn numbers(rows: usize, columns: usize, bad: &[(usize, f32)]) -> Vec<f32> {
    let mut numbers: Vec<_> = (0..rows * columns).map(|i| random(i) - 0.5).collect();
    for &(i, x) in bad {
        numbers[i % (rows * columns)] = x;
    }
    numbers
}

const BAD: [&[(usize, f32)]; 5] = [
    &[],
    &[(0, f32::NAN)],
    &[(77, f32::INFINITY)],
    &[(12_345, f32::NEG_INFINITY), (12_346, f32::INFINITY)],
    &[
        (1, f32::NAN),
        (2, f32::INFINITY),
        (9_999, f32::NEG_INFINITY),
    ],
];

fn packed(dense: &[f32], rows: usize, inputs: usize) -> Vec<u64> {
    let mut words = vec![0; rows * inputs.div_ceil(64)];
    pack(Isa::Scalar, dense, rows, inputs, &mut words).expect("lengths fit");
    words
}

#[track_caller]
fn assert_same(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(same, "[{i}] is {found:e}, not {expected:e}");
    }
}

/// Calls `check` with all shapes, densities and bad numbers.
fn for_all(check: impl Fn([usize; 3], f32, &[(usize, f32)])) {
    for [rows, inputs, outputs] in [[1, 5, 3], [7, 64, 16], [40, 300, 90], [300, 2100, 20]] {
        for density in [0.0, 0.1, 0.9, 1.0] {
            for bad in BAD {
                check([rows, inputs, outputs], density, bad);
            }
        }
    }
}

#[test]
fn products_show_them_where_the_input_is_silent() {
    for_all(|[rows, inputs, outputs], density, bad| {
        let dense = spikes(rows, inputs, density);
        let weights = numbers(inputs, outputs, bad);
        let mut expected = vec![0.0; rows * outputs];
        for r in 0..rows {
            for k in 0..inputs {
                for n in 0..outputs {
                    expected[r * outputs + n] += dense[r * inputs + k] * weights[k * outputs + n];
                }
            }
        }
        let words = packed(&dense, rows, inputs);
        let matrix = Matrix::new("weights", &weights, [inputs, outputs], [outputs, 1]);
        for &isa in Isa::available() {
            let mut out = vec![-1.0; rows * outputs];
            let matrix = matrix.clone().expect("fits");
            product(isa, &words, rows, matrix, None, &mut out).expect("lengths fit");
            assert_same(&out, &expected);
        }
    });
}

#[test]
fn weight_gradients_show_them_where_the_input_is_silent() {
    for_all(|[rows, inputs, outputs], density, bad| {
        let dense = spikes(rows, inputs, density);
        let grad = numbers(rows, outputs, bad);
        let mut expected = vec![0.0; outputs * inputs];
        for r in 0..rows {
            for n in 0..outputs {
                for k in 0..inputs {
                    expected[n * inputs + k] += grad[r * outputs + n] * dense[r * inputs + k];
                }
            }
        }
        let words = packed(&dense, rows, inputs);
        for &isa in Isa::available() {
            let mut out = vec![-1.0; outputs * inputs];
            let matrix = Matrix::new("grad", &grad, [rows, outputs], [outputs, 1]).expect("fits");
            weight_gradient(isa, &words, inputs, matrix, &mut out, None).expect("lengths fit");
            assert_same(&out, &expected);
        }
    });
}

#[test]
fn recurrent_layers_show_them_where_the_neuron_is_silent() {
    let (steps, samples, neurons) = (5, 3, 70);
    for bad in BAD {
        let weight = numbers(neurons, neurons, bad);
        let current: Vec<_> = (0..steps * samples * neurons)
            .map(|i| 2.0 * random(i))
            .collect();
        let mut expected = Vec::new();
        let (mut u, mut back) = (
            vec![0.0f32; samples * neurons],
            vec![0.0; samples * neurons],
        );
        for t in 0..steps {
            let mut spikes = vec![0.0f32; samples * neurons];
            for (i, u) in u.iter_mut().enumerate() {
                let reset = f32::from(u8::from(*u > 1.0));
                // As snnTorch's recurrent layer: the input, and to it what came back.
                let input = current[t * samples * neurons + i] + back[i];
                *u = 0.5 * *u + input - reset * 1.0;
                spikes[i] = f32::from(u8::from(*u > 1.0));
            }
            expected.extend_from_slice(&u);
            for b in 0..samples {
                for n in 0..neurons {
                    back[b * neurons + n] = (0..neurons)
                        .map(|k| spikes[b * neurons + k] * weight[n * neurons + k])
                        .fold(0.0, |sum, x| sum + x);
                }
            }
        }
        let layer = recurrent::Layer {
            neurons: Layer {
                neuron: NeuronKind::Leaky,
                reset: Reset {
                    mechanism: Mechanism::Subtract,
                    immediate: false,
                },
                shape: Shape {
                    steps,
                    samples,
                    neurons,
                },
                current: Strided {
                    data: &current,
                    time: samples * neurons,
                    sample: neurons,
                    per_neuron: true,
                },
                parameters: vec![Strided::constant(&0.5)],
                threshold: Strided::constant(&1.0),
                graded_factor: Strided::constant(&1.0),
                initial: vec![Strided::constant(&0.0)],
            },
            connection: Connection::Dense {
                weight: Matrix::new("weight", &weight, [neurons, neurons], [neurons, 1])
                    .expect("fits"),
                bias: None,
            },
            first: Strided::constant(&0.0),
        };
        for &isa in Isa::available() {
            let mut membrane = vec![0.0; expected.len()];
            let outputs = Outputs {
                states: vec![Some(&mut membrane)],
                last: vec![None],
                ..Outputs::default()
            };
            recurrent::forward(isa, &layer, outputs).expect("lengths fit");
            let nan = |x: &[f32]| x.iter().map(|x| x.is_nan()).collect::<Vec<_>>();
            assert_eq!(nan(&membrane), nan(&expected), "{isa:?}");
        }
    }
}
