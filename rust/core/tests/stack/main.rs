//! Stacks of linear layers: the bits of the layers one after another, and their gradients.

mod backward;
#[path = "../common/bits.rs"]
mod bits;
#[path = "../common/threads.rs"]
mod threads;

use bits::{dense, packed};
use bitspike::Error;
use bitspike::matmul::{Matrix, product};
use bitspike::neuron::{Mechanism, Reset};
use bitspike::registry::NeuronKind;
use bitspike::sequence;
use bitspike::simd::Isa;
use bitspike::stack::{Layer, Outputs, forward};
use bitspike::tiling::{Shape, Strided};
use proptest::prelude::*;

/// The numbers of a layer.
struct Numbers {
    neurons: usize,
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
    /// A decay for each neuron.
    beta: Vec<f32>,
    /// A membrane for each sample and neuron.
    initial: Vec<f32>,
}

impl Numbers {
    fn new(inputs: usize, neurons: usize, samples: usize) -> Self {
        let number = |i: usize| ((i * 37 % 101) as f32 - 45.0) / 60.0;
        let numbers = |count: usize| (0..count).map(number).collect::<Vec<_>>();
        Self {
            neurons,
            weights: numbers(inputs * neurons),
            bias: neurons.is_multiple_of(2).then(|| numbers(neurons)),
            beta: (0..neurons)
                .map(|i| 0.5 + (i % 40) as f32 / 100.0)
                .collect(),
            initial: numbers(samples * neurons),
        }
    }

    fn neurons<'a>(&'a self, shape: Shape, current: Strided<'a>) -> sequence::Layer<'a> {
        sequence::Layer {
            neuron: NeuronKind::Leaky,
            reset: Reset {
                mechanism: Mechanism::Subtract,
                immediate: false,
            },
            shape,
            current,
            parameters: vec![Strided {
                data: &self.beta,
                time: 0,
                sample: 0,
                per_neuron: true,
            }],
            threshold: Strided::constant(&1.0),
            graded_factor: Strided::constant(&1.0),
            initial: vec![Strided {
                data: &self.initial,
                time: 0,
                sample: self.neurons,
                per_neuron: true,
            }],
        }
    }

    fn weights(&self, inputs: usize) -> Matrix<'_> {
        let shape = [inputs, self.neurons];
        Matrix::new("weights", &self.weights, shape, [self.neurons, 1]).expect("they fit")
    }
}

/// Spikes and last membranes of each layer.
type Fired = Vec<(Vec<u64>, Vec<f32>)>;

fn one_by_one(spikes: &[u64], shape: Shape, layers: &[Numbers]) -> Fired {
    let (mut spikes, mut inputs) = (spikes.to_vec(), shape.neurons);
    let (rows, isa) = (shape.steps * shape.samples, Isa::Scalar);
    let mut all = Fired::new();
    for layer in layers {
        let neurons = layer.neurons;
        let mut current = vec![0.0; rows * neurons];
        let weights = layer.weights(inputs);
        product(
            isa,
            &spikes,
            rows,
            weights,
            layer.bias.as_deref(),
            &mut current,
        )
        .expect("the lengths fit");
        let mut fired = vec![0; rows * neurons.div_ceil(64)];
        let mut last = vec![0.0; shape.samples * neurons];
        let strided = Strided {
            data: &current,
            time: shape.samples * neurons,
            sample: neurons,
            per_neuron: true,
        };
        let outputs = sequence::Outputs {
            packed: Some(&mut fired),
            states: vec![None],
            last: vec![Some(&mut last)],
            ..sequence::Outputs::default()
        };
        let shape = Shape { neurons, ..shape };
        sequence::forward(isa, &layer.neurons(shape, strided), outputs).expect("the lengths fit");
        all.push((fired.clone(), last));
        (spikes, inputs) = (fired, neurons);
    }
    all
}

fn together(
    isa: Isa,
    spikes: &[u64],
    shape: Shape,
    layers: &[Numbers],
) -> Result<Option<Fired>, Error> {
    let rows = shape.steps * shape.samples;
    let mut all: Fired = layers
        .iter()
        .map(|layer| {
            let words = rows * layer.neurons.div_ceil(64);
            (
                vec![u64::MAX; words],
                vec![f32::NAN; shape.samples * layer.neurons],
            )
        })
        .collect();
    let mut inputs = shape.neurons;
    let described: Vec<_> = layers
        .iter()
        .map(|layer| {
            let shape = Shape {
                neurons: layer.neurons,
                ..shape
            };
            let weights = layer.weights(std::mem::replace(&mut inputs, layer.neurons));
            Layer {
                weights,
                bias: layer.bias.as_deref(),
                neurons: layer.neurons(shape, Strided::constant(&0.0)),
            }
        })
        .collect();
    let outputs = all
        .iter_mut()
        .map(|(packed, last)| Outputs {
            packed,
            last: vec![last],
        })
        .collect();
    let finite = forward(isa, spikes, shape, &described, outputs)?;
    Ok(finite.then_some(all))
}

fn check(shape: Shape, sizes: &[usize]) {
    let rows = shape.steps * shape.samples;
    let spikes = packed(&dense(rows * shape.neurons), rows, shape.neurons);
    let mut inputs = shape.neurons;
    let layers: Vec<_> = sizes
        .iter()
        .map(|&n| Numbers::new(std::mem::replace(&mut inputs, n), n, shape.samples))
        .collect();
    let expected = one_by_one(&spikes, shape, &layers);
    for &isa in Isa::available() {
        let found = together(isa, &spikes, shape, &layers).expect("the lengths fit");
        assert_eq!(
            found.as_ref(),
            Some(&expected),
            "{isa:?} {shape:?} {sizes:?}"
        );
    }
}

proptest! {
    #[test]
    fn bits_are_those_of_layers_one_by_one(
        steps in 0..40_usize,
        samples in 0..20_usize,
        inputs in 1..150_usize,
        sizes in prop::collection::vec(1..150_usize, 1..4),
    ) {
        check(Shape { steps, samples, neurons: inputs }, &sizes);
    }
}

#[test]
fn many_samples_are_shared_between_threads() {
    check(
        Shape {
            steps: 30,
            samples: 120,
            neurons: 200,
        },
        &[130, 64, 10],
    );
}

#[test]
fn wide_layers_run_some_neurons_at_a_time() {
    // Samples that go through the layers together, and others after them.
    for (steps, samples) in [(300, 9), (2000, 3), (7, 400)] {
        let shape = Shape {
            steps,
            samples,
            neurons: 90,
        };
        check(shape, &[256, 128, 290, 3]);
    }
}

const SHAPE: Shape = Shape {
    steps: 2,
    samples: 1,
    neurons: 3,
};

#[test]
fn weights_that_are_not_finite_are_told() {
    for bad in [f32::NAN, f32::INFINITY] {
        let mut layers = [Numbers::new(3, 4, 1), Numbers::new(4, 2, 1)];
        layers[1].weights[5] = bad;
        assert_eq!(together(Isa::Scalar, &[0, 0], SHAPE, &layers), Ok(None));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let layers = [Numbers::new(3, 4, 1), Numbers::new(5, 2, 1)];
    let mut numbers = layers;
    numbers[1].neurons = 2;
    let short = together(Isa::Scalar, &[0], SHAPE, &numbers[..1]);
    assert!(matches!(short, Err(Error::Length { .. })), "{short:?}");
    let padded = together(Isa::Scalar, &[8, 0], SHAPE, &numbers[..1]);
    assert!(matches!(padded, Err(Error::Padding { .. })), "{padded:?}");
    numbers[0].beta.pop();
    let parameter = together(Isa::Scalar, &[0, 0], SHAPE, &numbers[..1]);
    assert!(
        matches!(parameter, Err(Error::Stride { .. })),
        "{parameter:?}"
    );
}
