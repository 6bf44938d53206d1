//! The gradient of a convolution's input from errors, bit for bit against plain loops, and against the
//! dense gradient in double precision.

use crate::errors::listed;
use crate::loops::{each, taps};
use crate::threads::on_threads;
use crate::views::{Random, bits};
use bitspike::Error;
use bitspike::conv::{Convolution, Order, gradient_prefers_dense, input_gradient};
use bitspike::matmul::FilteredErrors;
use bitspike::simd::Isa;
use bitspike::tiling::Shape;
use proptest::prelude::*;

/// An error's way: its neuron, the input, both in an order, and the weight's place.
struct Way {
    neuron: usize,
    input: usize,
    weight: usize,
}

/// Errors `[T, B, N]`, and what sends them back.
struct Case {
    conv: Convolution,
    order: Order,
    shape: Shape,
    errors: Vec<f32>,
    weight: Vec<f32>,
}

const DECAY: f32 = 0.9;

impl Case {
    fn new(
        conv: Convolution,
        order: Order,
        [steps, samples]: [usize; 2],
        share: f32,
        seed: u64,
    ) -> Self {
        let [height, width] = conv.grid().expect("the kernel fits");
        let neurons = conv.outputs * height * width;
        let mut random = Random(seed);
        let mut error = || {
            let value = random.uniform(-1.0, 1.0);
            if random.uniform(0.0, 1.0) < share {
                value
            } else {
                0.0
            }
        };
        let errors = (0..steps * samples * neurons).map(|_| error()).collect();
        let weight = (0..conv.outputs * taps(conv)).map(|_| random.uniform(-1.0, 1.0));
        Self {
            conv,
            order,
            shape: Shape {
                steps,
                samples,
                neurons,
            },
            errors,
            weight: weight.collect(),
        }
    }

    fn inputs(&self) -> usize {
        self.conv.channels * self.conv.size[0] * self.conv.size[1]
    }

    /// The kernel's result; None if it refuses the numbers.
    fn run(&self, isa: Isa) -> Option<Vec<f32>> {
        let (active, values) = listed(self.shape, &self.errors);
        let errors = FilteredErrors {
            shape: self.shape,
            active: &active,
            values: &values,
            decay: DECAY,
        };
        let mut out = vec![f32::NAN; self.shape.steps * self.shape.samples * self.inputs()];
        let done = input_gradient(isa, errors, self.conv, self.order, &self.weight, &mut out);
        done.expect("the lengths fit").then_some(out)
    }

    /// All ways, in ascending order of the neurons.
    fn ways(&self) -> Vec<Way> {
        let conv = self.conv;
        let (taps, pixels) = (taps(conv), conv.size[0] * conv.size[1]);
        let grid = self.shape.neurons / conv.outputs.max(1);
        let mut ways = Vec::new();
        each(conv, |pixel, output, tap, input| {
            let last = self.order == Order::ChannelsLast;
            ways.push(Way {
                neuron: if last {
                    pixel * conv.outputs + output
                } else {
                    output * grid + pixel
                },
                input: if last {
                    input % pixels * conv.channels + input / pixels
                } else {
                    input
                },
                weight: output * taps + tap,
            });
        });
        ways.sort_by_key(|way| way.neuron);
        ways
    }

    /// The same sums in plain loops, in the order that is promised, and, in double precision, those of the
    /// filtered errors, and of magnitudes.
    fn plain(&self) -> (Vec<f32>, Vec<[f64; 2]>) {
        let (inputs, neurons, ways) = (self.inputs(), self.shape.neurons, self.ways());
        let rows = self.shape.steps * self.shape.samples;
        let (mut sums, mut exact) = (vec![0.0f32; rows * inputs], vec![[0.0; 2]; rows * inputs]);
        let mut filtered: Vec<_> = self.errors.iter().map(|&x| f64::from(x)).collect();
        let later = self.shape.samples * neurons;
        for i in (0..filtered.len().saturating_sub(later)).rev() {
            filtered[i] += f64::from(DECAY) * filtered[i + later];
        }
        for row in (0..rows).rev() {
            for input in 0..inputs {
                let after = sums.get((row + self.shape.samples) * inputs + input);
                sums[row * inputs + input] = after.map_or(0.0, |after| after * DECAY);
            }
            for way in &ways {
                let (to, from) = (row * inputs + way.input, row * neurons + way.neuron);
                let weight = self.weight[way.weight];
                if self.errors[from] != 0.0 {
                    sums[to] += self.errors[from] * weight;
                }
                let product = filtered[from] * f64::from(weight);
                exact[to][0] += product;
                exact[to][1] += product.abs();
            }
        }
        // A zero has no sign.
        (sums.iter().map(|sum| sum + 0.0).collect(), exact)
    }

    fn check(&self) {
        let (expected, exact) = self.plain();
        for threads in [1, 3] {
            on_threads(threads);
            for &isa in Isa::available() {
                let found = self.run(isa).expect("all numbers are finite");
                assert_eq!(bits(&found), bits(&expected), "{isa:?} {:?}", self.conv);
            }
        }
        for (found, [exact, size]) in expected.into_iter().zip(exact) {
            let most = 1e-5 * size.max(1.0);
            assert!((f64::from(found) - exact).abs() <= most, "{found} {exact}");
        }
    }
}

const ORDERS: [Order; 2] = [Order::ChannelsFirst, Order::ChannelsLast];
const LAYER: Convolution = Convolution {
    channels: 12,
    size: [9, 11],
    outputs: 40,
    groups: 1,
    kernel: [5, 5],
    stride: [1, 1],
    padding: [2, 2],
    dilation: [1, 1],
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn it_equals_plain_loops(
        (groups, channels, outputs) in (1usize..4, 0usize..6, 0usize..8),
        size in [1usize..8, 1usize..8],
        kernel in [1usize..4, 1usize..5],
        stride in [1usize..4, 1usize..4],
        padding in [0usize..3, 0usize..6],
        dilation in [1usize..3, 1usize..3],
        steps_and_samples in [0usize..6, 0usize..4],
        share in prop::sample::select(vec![0.0f32, 0.05, 0.3, 1.0]),
        order in prop::sample::select(ORDERS.to_vec()),
        seed: u64,
    ) {
        let conv = Convolution {
            channels: groups * channels, size, outputs: groups * outputs, groups, kernel, stride,
            padding, dilation,
        };
        if conv.grid().is_ok() {
            Case::new(conv, order, steps_and_samples, share, seed).check();
        }
    }
}

#[test]
fn threads_change_nothing() {
    for order in ORDERS {
        let case = Case::new(LAYER, order, [70, 5], 0.1, 1);
        on_threads(1);
        let expected = bits(&case.run(Isa::Scalar).expect("finite"));
        for threads in 1..=4 {
            on_threads(threads);
            for &isa in Isa::available() {
                assert_eq!(bits(&case.run(isa).expect("finite")), expected);
            }
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let case = || Case::new(LAYER, Order::ChannelsLast, [2, 2], 0.1, 3);
        let (mut of_weight, mut of_error) = (case(), case());
        of_weight.weight[1234] = bad;
        of_error.errors[777] = bad;
        for &isa in Isa::available() {
            assert_eq!(of_weight.run(isa), None);
            assert_eq!(of_error.run(isa), None);
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let order = Order::ChannelsLast;
    let mut short = Case::new(LAYER, order, [2, 2], 0.1, 4);
    short.weight.pop();
    let mut other = Case::new(LAYER, order, [2, 2], 0.1, 4);
    other.conv.outputs = 39;
    for case in [short, other] {
        let (active, values) = listed(case.shape, &case.errors);
        let errors = FilteredErrors {
            shape: case.shape,
            active: &active,
            values: &values,
            decay: DECAY,
        };
        let mut out = vec![0.0; 4 * case.inputs()];
        let found = input_gradient(
            Isa::Scalar,
            errors,
            case.conv,
            order,
            &case.weight,
            &mut out,
        );
        assert!(matches!(found, Err(Error::Length { .. })));
    }
}

#[test]
fn dense_convolutions_are_preferred_for_many_errors() {
    for isa in Isa::ALL {
        assert_eq!(gradient_prefers_dense(isa, 0.05, 100, LAYER), Ok(false));
        assert_eq!(gradient_prefers_dense(isa, 0.9, 100, LAYER), Ok(true));
    }
}
