//! A layer with its buffers, and the loops that it is compared with.

use crate::views::{Layout, Random, View, bits};
use bitspike::matmul::Matrix;
use bitspike::neuron::{Mechanism, Reset};
use bitspike::recurrent::{
    Connection, Gradients, Layer, OutputGradients, Outputs, backward, forward,
};
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence;
use bitspike::simd::Isa;
use bitspike::spikes::layout::words;
use bitspike::tiling::{Shape, Strided};

/// A layer of leaky neurons with its buffers.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) shape: Shape,
    pub(crate) reset: Reset,
    pub(crate) dense: bool,
    pub(crate) current: View,
    beta: View,
    threshold: View,
    initial: View,
    first: View,
    /// `[N, N]`, of which a one-to-one connection takes the first row.
    pub(crate) weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Case {
    pub(crate) fn new(shape: Shape, reset: Reset, dense: bool, seed: u64) -> Self {
        let mut random = Random(seed);
        let n = shape.neurons;
        let mut view = |layout, low, high| View::new(layout, shape, || random.uniform(low, high));
        Self {
            shape,
            reset,
            dense,
            current: view(Layout::Sequence, -0.5, 1.0),
            beta: view(Layout::Neuron, 0.3, 1.0),
            threshold: View::new(Layout::One, shape, || 0.75),
            initial: view(Layout::Each, -1.0, 1.5),
            first: view(Layout::Each, -0.5, 0.5),
            weight: (0..n * n).map(|_| random.uniform(-0.4, 0.4)).collect(),
            bias: (0..n).map(|_| random.uniform(-0.1, 0.1)).collect(),
        }
    }

    /// Elements of `[T, B, N]`.
    pub(crate) fn len(&self) -> usize {
        self.shape.steps * self.row_len()
    }

    /// Elements of `[B, N]`.
    fn row_len(&self) -> usize {
        self.shape.samples * self.shape.neurons
    }

    pub(crate) fn layer(&self) -> Layer<'_> {
        let n = self.shape.neurons;
        let weight = Matrix::new("weight", &self.weight, [n, n], [n, 1]).expect("fits");
        Layer {
            neurons: sequence::Layer {
                neuron: NeuronKind::Leaky,
                reset: self.reset,
                shape: self.shape,
                current: self.current.strided(),
                parameters: vec![self.beta.strided()],
                threshold: self.threshold.strided(),
                graded_factor: Strided::constant(&1.0),
                initial: vec![self.initial.strided()],
            },
            connection: if self.dense {
                Connection::Dense {
                    weight,
                    bias: Some(&self.bias),
                }
            } else {
                Connection::OneToOne(Strided {
                    data: &self.weight[..n],
                    ..self.beta.strided()
                })
            },
            first: self.first.strided(),
        }
    }

    pub(crate) fn forward(&self, isa: Isa) -> (Vec<u64>, Vec<f32>) {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let mut packed = vec![u64::MAX; steps * samples * words(neurons)];
        let mut membranes = vec![f32::NAN; self.len()];
        let [mut spikes, mut last] = [0, 1].map(|_| vec![f32::NAN; self.row_len()]);
        let outputs = Outputs {
            packed: Some(&mut packed),
            states: vec![Some(&mut membranes)],
            last_spikes: (steps > 0).then_some(&mut spikes),
            last: vec![Some(&mut last)],
        };
        forward(isa, &self.layer(), outputs).expect("fits");
        let from = self.len().saturating_sub(self.row_len());
        if steps > 0 {
            assert_eq!(bits(&last), bits(&membranes[from..]));
            for (place, &spike) in spikes.iter().enumerate() {
                let fired = self.fired(&packed, steps - 1, place / neurons, place % neurons);
                assert_eq!(spike, fired);
            }
        }
        (packed, membranes)
    }

    fn fired(&self, packed: &[u64], t: usize, b: usize, n: usize) -> f32 {
        let word = (t * self.shape.samples + b) * words(self.shape.neurons) + n / 64;
        (packed[word] >> (n % 64) & 1) as f32
    }

    /// The recurrent current of a step, from the spikes of the step before.
    fn feedback(&self, spikes: &[f32]) -> Vec<f32> {
        let n = self.shape.neurons;
        let one = |i: usize| {
            if !self.dense {
                return spikes[i] * self.weight[i];
            }
            let active = (0..n).filter(|&k| spikes[k] == 1.0);
            active.fold(0.0, |sum, k| sum + self.weight[i * n + k]) + self.bias[i]
        };
        (0..n).map(one).collect()
    }

    pub(crate) fn check_forward(&self) {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let step = |x: f32| f32::from(u8::from(x > 0.0));
        for &isa in Isa::available() {
            let (packed, membranes) = self.forward(isa);
            for b in 0..samples {
                let row = |view: &View| (0..neurons).map(|n| view.at(0, b, n)).collect();
                let (mut u, mut feedback): (Vec<_>, Vec<_>) =
                    (row(&self.initial), row(&self.first));
                for t in 0..steps {
                    let mut spikes = vec![0.0; neurons];
                    for n in 0..neurons {
                        let place = (t * samples + b) * neurons + n;
                        let theta = self.threshold.at(t, b, n);
                        let flag = step(u[n] - theta);
                        let (beta, current) = (self.beta.at(t, b, n), self.current.at(t, b, n));
                        let p = ((beta * u[n]) + current) + feedback[n];
                        let compared = match self.reset.mechanism {
                            Mechanism::Subtract => p - flag * theta,
                            Mechanism::Zero => p - flag * p,
                            _ => p,
                        };
                        spikes[n] = step(compared - theta);
                        u[n] = match (self.reset.immediate, self.reset.mechanism) {
                            (true, Mechanism::Subtract) => compared - (spikes[n] - flag) * theta,
                            (true, Mechanism::Zero) => {
                                compared - (spikes[n] - flag * spikes[n]) * compared
                            }
                            _ => compared,
                        };
                        assert_eq!(
                            u[n].to_bits(),
                            membranes[place].to_bits(),
                            "{isa:?} {place}"
                        );
                        assert_eq!(spikes[n], self.fired(&packed, t, b, n), "{isa:?} {place}");
                    }
                    feedback = self.feedback(&spikes);
                }
            }
        }
    }

    /// Gradients of the current, the initial membrane, beta, threshold and one-to-one weight.
    pub(crate) fn backward(&self, isa: Isa, spikes: &[f32]) -> Vec<Vec<f32>> {
        let zero = Strided::constant(&0.0);
        let incoming = OutputGradients {
            neurons: sequence::OutputGradients {
                spikes: Strided {
                    data: spikes,
                    ..self.current.strided()
                },
                states: vec![zero],
                last: vec![zero],
            },
            last_spikes: zero,
        };
        let (beta, n) = (self.beta.data.len(), self.shape.neurons);
        let lengths = [self.len(), self.row_len(), beta, 1, n];
        let mut out: Vec<_> = lengths.map(|len| vec![f32::NAN; len]).into();
        let [current, initial, beta, threshold, weight] = &mut out[..] else {
            unreachable!("there are five");
        };
        let gradients = Gradients {
            neurons: sequence::Gradients {
                current: Some(current),
                initial: vec![Some(initial)],
                learned: Some(sequence::Learned {
                    parameters: vec![beta],
                    threshold,
                    graded_factor: None,
                }),
            },
            one_to_one: (!self.dense).then_some(weight),
        };
        let surrogate = AnySurrogate::new("atan", &[2.0]).expect("exists");
        backward(isa, &self.layer(), surrogate, &incoming, gradients).expect("fits");
        if self.dense {
            out.pop();
        }
        out
    }

    /// The gradient of the current in double precision, for a delayed reset.
    pub(crate) fn check_backward(&self, spikes: &[f32]) {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let (packed, membranes) = self.forward(Isa::Scalar);
        let gradient = &self.backward(Isa::Scalar, spikes)[0];
        for b in 0..samples {
            let mut carry = vec![0.0; neurons];
            let mut next: Vec<f64> = vec![0.0; neurons];
            for t in (0..steps).rev() {
                let mut deltas = vec![0.0; neurons];
                for k in 0..neurons {
                    let place = (t * samples + b) * neurons + k;
                    let back: f64 = if self.dense {
                        let weights = (0..neurons).map(|n| self.weight[n * neurons + k]);
                        next.iter()
                            .zip(weights)
                            .map(|(d, w)| d * f64::from(w))
                            .sum()
                    } else {
                        next[k] * f64::from(self.weight[k])
                    };
                    let theta = self.threshold.at(t, b, k);
                    let x = f64::from(membranes[place]) - f64::from(theta);
                    let slope = 1.0 / (1.0 + (std::f64::consts::PI * x).powi(2));
                    let to_u = carry[k] + (f64::from(spikes[place]) + back) * slope;
                    let reset = match t.checked_sub(1) {
                        Some(t) => self.fired(&packed, t, b, k) == 1.0,
                        None => self.initial.at(0, b, k) > theta,
                    };
                    let kept = !reset || self.reset.mechanism != Mechanism::Zero;
                    deltas[k] = if kept { to_u } else { 0.0 };
                    let error = (f64::from(gradient[place]) - deltas[k]).abs();
                    assert!(
                        error < 1e-5 * (1.0 + deltas[k].abs()),
                        "{t} {b} {k}: {error}"
                    );
                    carry[k] = f64::from(self.beta.at(t, b, k)) * deltas[k];
                }
                next = deltas;
            }
        }
    }
}
