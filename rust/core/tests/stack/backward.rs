//! The way back, against the kernels of whole layers one after another.

use super::bits::{dense, packed};
use super::threads::on_threads;
use super::{Numbers, one_by_one};
use bitspike::Error;
use bitspike::matmul::{Matrix, product, weight_gradient};
use bitspike::registry::AnySurrogate;
use bitspike::sequence::{self, OutputGradients};
use bitspike::simd::Isa;
use bitspike::stack::{self, Layer, Reversed};
use bitspike::tiling::{Shape, Strided};
use proptest::prelude::*;

/// Gradients of the spikes that enter; per layer of weights, bias and initial membranes.
#[derive(Debug, PartialEq)]
struct Found {
    input: Vec<f32>,
    layers: Vec<[Vec<f32>; 3]>,
}

/// A stack, and what comes back to it.
struct Case {
    shape: Shape,
    layers: Vec<Numbers>,
    /// The spikes that enter each layer.
    entering: Vec<Vec<u64>>,
    surrogate: AnySurrogate,
    /// The gradient of the spikes that leave.
    upstream: Vec<f32>,
    /// Whether gradients of the last membranes come in.
    last: bool,
    /// Whether all neurons of a layer have one decay.
    one_decay: bool,
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 53 % 97) as f32 - 40.0) / 50.0)
        .collect()
}

fn rows(data: &[f32], shape: Shape) -> Strided<'_> {
    Strided {
        data,
        time: shape.samples * shape.neurons,
        sample: shape.neurons,
        per_neuron: true,
    }
}

/// Rows of its spikes.
fn steps_and_samples(shape: Shape) -> usize {
    shape.steps * shape.samples
}

impl Case {
    fn new(shape: Shape, sizes: &[usize], surrogate: AnySurrogate, flags: [bool; 2]) -> Self {
        let spikes = packed(
            &dense(steps_and_samples(shape) * shape.neurons),
            steps_and_samples(shape),
            shape.neurons,
        );
        let mut inputs = shape.neurons;
        let layers: Vec<_> = sizes
            .iter()
            .map(|&n| Numbers::new(std::mem::replace(&mut inputs, n), n, shape.samples))
            .collect();
        let fired = one_by_one(&spikes, shape, &layers);
        let leaving = sizes.last().map_or(0, |&n| steps_and_samples(shape) * n);
        let entering = std::iter::once(spikes).chain(fired.into_iter().map(|(words, _)| words));
        Self {
            shape,
            entering: entering.take(layers.len()).collect(),
            layers,
            surrogate,
            upstream: numbers(leaving),
            last: flags[0],
            one_decay: flags[1],
        }
    }

    fn of(&self, i: usize) -> Shape {
        Shape {
            neurons: self.layers[i].neurons,
            ..self.shape
        }
    }

    fn inputs(&self, i: usize) -> usize {
        i.checked_sub(1)
            .map_or(self.shape.neurons, |i| self.layers[i].neurons)
    }

    fn neurons<'a>(&'a self, i: usize, current: Strided<'a>) -> sequence::Layer<'a> {
        let mut layer = self.layers[i].neurons(self.of(i), current);
        if self.one_decay {
            layer.parameters = vec![Strided::constant(&0.75)];
        }
        layer
    }

    fn of_last(&self, i: usize) -> Vec<f32> {
        if self.last {
            numbers(self.shape.samples * self.layers[i].neurons)
        } else {
            Vec::new()
        }
    }

    /// Layer after layer, all samples at once.
    fn one_by_one(&self) -> Found {
        let (rows_, isa) = (steps_and_samples(self.shape), Isa::Scalar);
        let mut upstream = self.upstream.clone();
        let mut layers = Vec::new();
        for i in (0..self.layers.len()).rev() {
            let (shape, inputs, own) = (self.of(i), self.inputs(i), &self.layers[i]);
            let count = rows_ * shape.neurons;
            let (mut current, mut gradient) = (vec![0.0; count], vec![0.0; count]);
            let (weights, bias) = (own.weights(inputs), own.bias.as_deref());
            product(isa, &self.entering[i], rows_, weights, bias, &mut current).expect("it fits");
            let mut initial = vec![0.0; shape.samples * shape.neurons];
            let last = self.of_last(i);
            let incoming = OutputGradients {
                spikes: rows(&upstream, shape),
                states: vec![Strided::constant(&0.0)],
                last: vec![if self.last {
                    rows(&last, shape)
                } else {
                    Strided::constant(&0.0)
                }],
            };
            let gradients = sequence::Gradients {
                current: Some(&mut gradient),
                initial: vec![Some(&mut initial)],
                learned: None,
            };
            let layer = self.neurons(i, rows(&current, shape));
            sequence::backward(isa, &layer, self.surrogate, &incoming, gradients).expect("it fits");
            let mut to_weights = vec![0.0; inputs * shape.neurons];
            let mut to_bias = vec![0.0; shape.neurons];
            let grad = Matrix::new(
                "grad",
                &gradient,
                [rows_, shape.neurons],
                [shape.neurons, 1],
            );
            let (grad, bias) = (grad.expect("it fits"), Some(&mut to_bias[..]));
            weight_gradient(isa, &self.entering[i], inputs, grad, &mut to_weights, bias)
                .expect("it fits");
            upstream = (0..rows_ * inputs)
                .map(|at| {
                    let gradient = &gradient[at / inputs * shape.neurons..][..shape.neurons];
                    let weights = &own.weights[at % inputs * shape.neurons..][..shape.neurons];
                    let pairs = gradient.iter().zip(weights);
                    pairs
                        .map(|(&g, &w)| f64::from(g) * f64::from(w))
                        .sum::<f64>() as f32
                })
                .collect();
            layers.insert(0, [to_weights, to_bias, initial]);
        }
        Found {
            input: upstream,
            layers,
        }
    }

    /// All layers in one call, for some samples at a time.
    fn together(&self, isa: Isa, at_a_time: usize) -> Result<Found, Error> {
        let mut found = Found {
            input: vec![f32::NAN; steps_and_samples(self.shape) * self.shape.neurons],
            layers: (0..self.layers.len())
                .map(|i| {
                    let (inputs, neurons) = (self.inputs(i), self.layers[i].neurons);
                    [inputs * neurons, neurons, self.shape.samples * neurons]
                        .map(|count| vec![f32::NAN; count])
                })
                .collect(),
        };
        let last: Vec<_> = (0..self.layers.len()).map(|i| self.of_last(i)).collect();
        let reversed: Vec<_> = (0..self.layers.len())
            .map(|i| Reversed {
                layer: Layer {
                    weights: self.layers[i].weights(self.inputs(i)),
                    bias: self.layers[i].bias.as_deref(),
                    neurons: self.neurons(i, Strided::constant(&0.0)),
                },
                surrogate: self.surrogate,
                spikes: &self.entering[i],
                last: self.last.then(|| vec![rows(&last[i], self.of(i))]),
            })
            .collect();
        let layers = found.layers.iter_mut();
        let gradients = stack::Gradients {
            layers: layers
                .map(|[weights, bias, initial]| stack::LayerGradients {
                    weights: Some(weights),
                    bias: Some(bias),
                    initial: vec![Some(initial)],
                })
                .collect(),
            input: Some(&mut found.input),
        };
        let spikes = rows(&self.upstream, self.of(self.layers.len() - 1));
        stack::backward(isa, self.shape, &reversed, spikes, gradients, at_a_time)?;
        Ok(found)
    }
}

/// Sums in another order differ by roundings of their largest parts.
fn close(found: &[f32], expected: &[f32]) -> bool {
    let scale = expected.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    let pairs = found.iter().zip(expected);
    found.len() == expected.len()
        && pairs
            .into_iter()
            .all(|(a, b)| (a - b).abs() <= 2e-5 * scale)
}

fn check(case: &Case) {
    let expected = case.one_by_one();
    for &isa in Isa::available() {
        for at_a_time in [1, 3, 64] {
            on_threads(1);
            let found = case.together(isa, at_a_time).expect("the lengths fit");
            assert!(close(&found.input, &expected.input), "{isa:?} input");
            for (i, (found, expected)) in found.layers.iter().zip(&expected.layers).enumerate() {
                for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
                    assert!(
                        close(found, expected),
                        "{isa:?} {at_a_time} layer {i} gradient {k}"
                    );
                }
            }
            for threads in [2, 5] {
                on_threads(threads);
                assert_eq!(
                    case.together(isa, at_a_time).as_ref(),
                    Ok(&found),
                    "{threads} threads"
                );
            }
        }
    }
}

fn surrogate(name: &str, parameter: f32) -> AnySurrogate {
    AnySurrogate::new(name, &[parameter]).expect("there is such a surrogate")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_are_those_of_layers_one_by_one(
        steps in 0..12_usize,
        samples in 0..9_usize,
        inputs in 1..100_usize,
        sizes in prop::collection::vec(1..100_usize, 1..4),
        flags in any::<[bool; 2]>(),
        compact in any::<bool>(),
    ) {
        let surrogate = if compact { surrogate("triangle", 0.3) } else { surrogate("atan", 2.0) };
        let shape = Shape { steps, samples, neurons: inputs };
        check(&Case::new(shape, &sizes, surrogate, flags));
    }
}

#[test]
fn gradients_that_are_all_but_0_spoil_no_others() {
    let shape = Shape {
        steps: 5,
        samples: 7,
        neurons: 20,
    };
    let mut case = Case::new(shape, &[30, 13], surrogate("atan", 2.0), [false; 2]);
    let small = case.upstream.iter_mut().step_by(3);
    small.for_each(|x| *x *= 1e-36);
    check(&case);
    case.upstream[40] = f32::NAN;
    let found = case.together(Isa::active().expect("there is one"), 3);
    assert!(
        found
            .expect("the lengths fit")
            .input
            .iter()
            .any(|x| x.is_nan())
    );
}

#[test]
fn errors_that_are_few_are_listed() {
    let shape = Shape {
        steps: 40,
        samples: 7,
        neurons: 70,
    };
    for one_decay in [true, false] {
        let case = Case::new(
            shape,
            &[130, 64],
            surrogate("boxcar", 0.02),
            [false, one_decay],
        );
        check(&case);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let shape = Shape {
        steps: 2,
        samples: 2,
        neurons: 3,
    };
    let case = || Case::new(shape, &[4, 2], surrogate("atan", 2.0), [true, false]);
    let mut short = case();
    short.entering[1].pop();
    assert!(matches!(
        short.together(Isa::Scalar, 1),
        Err(Error::Length { .. })
    ));
    let mut padded = case();
    padded.entering[0][1] = 8;
    assert!(matches!(
        padded.together(Isa::Scalar, 1),
        Err(Error::Padding { .. })
    ));
    let mut parameter = case();
    parameter.layers[0].beta.pop();
    assert!(matches!(
        parameter.together(Isa::Scalar, 1),
        Err(Error::Stride { .. })
    ));
}
