//! A layer with its buffers, and the loops that it is compared with.

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
    pub(crate) current: Vec<f32>,
    /// `[N]`
    beta: Vec<f32>,
    threshold: f32,
    /// `[B, N]`
    initial: Vec<f32>,
    first: Vec<f32>,
    /// `[N, N]`, of which a one-to-one connection takes the first row.
    pub(crate) weight: Vec<f32>,
    bias: Vec<f32>,
}

fn row(data: &[f32], neurons: usize, time: usize) -> Strided<'_> {
    Strided {
        data,
        time,
        sample: neurons,
        per_neuron: true,
    }
}

fn shared(data: &[f32]) -> Strided<'_> {
    Strided {
        data,
        time: 0,
        sample: 0,
        per_neuron: true,
    }
}

impl Case {
    pub(crate) fn new(shape: Shape, reset: Reset, dense: bool, mut seed: u64) -> Self {
        let mut numbers = |len: usize, low: f32, high: f32| -> Vec<f32> {
            let mut next = || {
                seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                low + (high - low) * ((seed >> 40) as f32 / (1u64 << 24) as f32)
            };
            std::iter::repeat_with(&mut next).take(len).collect()
        };
        let (step, n) = (shape.samples * shape.neurons, shape.neurons);
        Self {
            shape,
            reset,
            dense,
            current: numbers(shape.steps * step, -0.5, 1.0),
            beta: numbers(n, 0.3, 1.0),
            threshold: 0.75,
            initial: numbers(step, -1.0, 1.5),
            first: numbers(step, -0.5, 0.5),
            weight: numbers(n * n, -0.4, 0.4),
            bias: numbers(n, -0.1, 0.1),
        }
    }

    pub(crate) fn layer(&self) -> Layer<'_> {
        let n = self.shape.neurons;
        let weight = Matrix::new("weight", &self.weight, [n, n], [n, 1]).expect("fits");
        Layer {
            neurons: sequence::Layer {
                neuron: NeuronKind::Leaky,
                reset: self.reset,
                shape: self.shape,
                current: row(&self.current, n, self.shape.samples * n),
                parameters: vec![shared(&self.beta)],
                threshold: Strided::constant(&self.threshold),
                graded_factor: Strided::constant(&1.0),
                initial: vec![row(&self.initial, n, 0)],
            },
            connection: if self.dense {
                Connection::Dense {
                    weight,
                    bias: Some(&self.bias),
                }
            } else {
                Connection::OneToOne(shared(&self.weight[..n]))
            },
            first: row(&self.first, n, 0),
        }
    }

    pub(crate) fn forward(&self, isa: Isa) -> (Vec<u64>, Vec<f32>) {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let mut packed = vec![u64::MAX; steps * samples * words(neurons)];
        let mut membranes = vec![f32::NAN; self.current.len()];
        let [mut spikes, mut last] = [0, 1].map(|_| vec![f32::NAN; samples * neurons]);
        let outputs = Outputs {
            packed: Some(&mut packed),
            states: vec![Some(&mut membranes)],
            last_spikes: (steps > 0).then_some(&mut spikes),
            last: vec![Some(&mut last)],
        };
        forward(isa, &self.layer(), outputs).expect("fits");
        let from = self.current.len().saturating_sub(samples * neurons);
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
                let at = b * neurons;
                let mut u = self.initial[at..at + neurons].to_vec();
                let mut feedback = self.first[at..at + neurons].to_vec();
                for t in 0..steps {
                    let mut spikes = vec![0.0; neurons];
                    for n in 0..neurons {
                        let place = (t * samples + b) * neurons + n;
                        let (theta, flag) = (self.threshold, step(u[n] - self.threshold));
                        let p = ((self.beta[n] * u[n]) + self.current[place]) + feedback[n];
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
        let (n, step) = (self.shape.neurons, self.shape.samples * self.shape.neurons);
        let zero = Strided::constant(&0.0);
        let incoming = OutputGradients {
            neurons: sequence::OutputGradients {
                spikes: row(spikes, n, step),
                states: vec![zero],
                last: vec![zero],
            },
            last_spikes: zero,
        };
        let mut out: Vec<_> = [self.current.len(), step, n, 1, n]
            .map(|len| vec![f32::NAN; len])
            .into();
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
        let theta = f64::from(self.threshold);
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
                    let x = f64::from(membranes[place]) - theta;
                    let slope = 1.0 / (1.0 + (std::f64::consts::PI * x).powi(2));
                    let to_u = carry[k] + (f64::from(spikes[place]) + back) * slope;
                    let reset = match t.checked_sub(1) {
                        Some(t) => self.fired(&packed, t, b, k) == 1.0,
                        None => self.initial[b * neurons + k] > self.threshold,
                    };
                    let kept = !reset || self.reset.mechanism != Mechanism::Zero;
                    deltas[k] = if kept { to_u } else { 0.0 };
                    let error = (f64::from(gradient[place]) - deltas[k]).abs();
                    assert!(
                        error < 1e-5 * (1.0 + deltas[k].abs()),
                        "{t} {b} {k}: {error}"
                    );
                    carry[k] = f64::from(self.beta[k]) * deltas[k];
                }
                next = deltas;
            }
        }
    }
}

pub(crate) fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}
