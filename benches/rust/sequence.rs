//! Whole sequences of leaky neurons, forward and backward, on every instruction set of this CPU.
//!
//! Each must give the answer of a plain loop over one neuron before it is timed.

use bitspike::neuron::{Mechanism, Reset};
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence::{Gradients, Layer, Learned, OutputGradients, Outputs, backward, forward};
use bitspike::simd::Isa;
use bitspike::spikes::layout::words;
use bitspike::tiling::{Shape, Strided};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use std::f64::consts::PI;

/// Steps, samples, neurons: whole tiles, and two that end in a part of one.
const SHAPES: [[usize; 3]; 3] = [[500, 16, 512], [25, 128, 1000], [500, 16, 100]];

const BETA: f32 = 0.9;
const THRESHOLD: f32 = 1.0;

/// A name, its parameters, the derivative in double precision.
type Surrogate = (&'static str, &'static [f32], fn(f64) -> f64);

const SURROGATES: &[Surrogate] = &[
    ("atan", &[2.0], |x| 1.0 / (1.0 + (PI * x).powi(2))),
    ("fast_sigmoid", &[25.0], |x| (1.0 + 25.0 * x.abs()).powi(-2)),
    ("sigmoid", &[25.0], |x| {
        let e = (-25.0 * x.abs()).exp();
        25.0 * e / (1.0 + e).powi(2)
    }),
];

/// What a layer gets: its current, and the gradient of its spikes.
struct Problem {
    shape: Shape,
    current: Vec<f32>,
    spike_gradient: Vec<f32>,
}

impl Problem {
    fn new([steps, samples, neurons]: [usize; 3]) -> Self {
        let elements = steps * samples * neurons;
        // Numbers without a pattern in 0..1.
        let number = |i: usize| (i * 7919 % 10007) as f32 / 10007.0;
        Self {
            shape: Shape {
                steps,
                samples,
                neurons,
            },
            current: (0..elements).map(|i| 1.2 * number(i) - 0.5).collect(),
            spike_gradient: (0..elements).map(|i| number(3 * i + 1) - 0.5).collect(),
        }
    }

    fn row(&self) -> usize {
        self.shape.samples * self.shape.neurons
    }

    fn view<'a>(&self, data: &'a [f32]) -> Strided<'a> {
        Strided {
            data,
            time: self.row(),
            sample: self.shape.neurons,
            per_neuron: true,
        }
    }

    fn layer(&self) -> Layer<'_> {
        Layer {
            neuron: NeuronKind::Leaky,
            reset: Reset {
                mechanism: Mechanism::Subtract,
                immediate: false,
            },
            shape: self.shape,
            current: self.view(&self.current),
            parameters: vec![Strided::constant(&BETA)],
            threshold: Strided::constant(&THRESHOLD),
            graded_factor: Strided::constant(&1.0),
            initial: vec![Strided::constant(&0.0)],
        }
    }

    fn incoming(&self) -> OutputGradients<'_> {
        OutputGradients {
            spikes: self.view(&self.spike_gradient),
            states: vec![Strided::constant(&0.0)],
            last: vec![Strided::constant(&0.0)],
        }
    }

    /// Every membrane, by a plain loop.
    fn membrane(&self) -> Vec<f32> {
        let mut membrane = vec![0.0; self.current.len()];
        for n in 0..self.row() {
            let mut u = 0.0;
            for i in (n..self.current.len()).step_by(self.row()) {
                let reset = if u > THRESHOLD { THRESHOLD } else { 0.0 };
                u = BETA * u + self.current[i] - reset;
                membrane[i] = u;
            }
        }
        membrane
    }

    fn packed(&self, membrane: &[f32]) -> Vec<u64> {
        let neurons = self.shape.neurons;
        let mut packed = vec![0; self.shape.steps * self.shape.samples * words(neurons)];
        for i in (0..membrane.len()).filter(|&i| membrane[i] > THRESHOLD) {
            packed[i / neurons * words(neurons) + i % neurons / 64] |= 1 << (i % neurons % 64);
        }
        packed
    }

    /// The gradients of the current, the decay and the threshold, by a plain loop.
    fn gradients(&self, membrane: &[f32], slope: fn(f64) -> f64) -> (Vec<f64>, f64, f64) {
        let mut current = vec![0.0; membrane.len()];
        let (mut beta, mut threshold) = (0.0, 0.0);
        for n in 0..self.row() {
            let mut delta = 0.0;
            for i in (n..membrane.len()).step_by(self.row()).rev() {
                let before = i.checked_sub(self.row()).map_or(0.0, |i| membrane[i]);
                let through =
                    f64::from(self.spike_gradient[i]) * slope(f64::from(membrane[i] - THRESHOLD));
                delta = f64::from(BETA) * delta + through;
                current[i] = delta;
                beta += delta * f64::from(before);
                threshold -= through + if before > THRESHOLD { delta } else { 0.0 };
            }
        }
        (current, beta, threshold)
    }
}

fn close(found: f32, expected: f64, scale: f64) -> bool {
    (f64::from(found) - expected).abs() <= 1e-5 * scale
}

/// Times `run` on each instruction set, after `check` has seen what it made of `out`.
fn per_isa<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    out: &mut T,
    run: impl Fn(Isa, &mut T),
    check: impl Fn(&T) -> bool,
) {
    for &isa in Isa::available() {
        run(isa, out);
        assert!(check(out), "{name} is wrong on {}", isa.name());
        group.bench_function(BenchmarkId::new(name, isa.name()), |bencher| {
            bencher.iter(|| run(isa, out));
        });
    }
}

/// The group of a shape.
fn group<'a>(
    criterion: &'a mut Criterion,
    direction: &str,
    problem: &Problem,
) -> BenchmarkGroup<'a, WallTime> {
    let Shape {
        steps,
        samples,
        neurons,
    } = problem.shape;
    let name = format!("{direction} T={steps} B={samples} N={neurons}");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(problem.current.len() as u64));
    group
}

fn forwards(criterion: &mut Criterion) {
    for problem in SHAPES.map(Problem::new) {
        let membrane = problem.membrane();
        let packed = problem.packed(&membrane);
        let layer = problem.layer();
        let mut group = group(criterion, "forward", &problem);
        let mut bits = vec![0; packed.len()];
        let run = |isa, bits: &mut Vec<u64>| {
            let outputs = Outputs {
                packed: Some(bits),
                states: vec![None],
                last: vec![None],
                ..Outputs::default()
            };
            forward(isa, &layer, outputs).expect("the lengths fit");
        };
        per_isa(&mut group, "bits", &mut bits, run, |bits| *bits == packed);

        let mut both = (bits, vec![0.0; membrane.len()]);
        let run = |isa, (bits, states): &mut (Vec<u64>, Vec<f32>)| {
            let outputs = Outputs {
                packed: Some(bits),
                states: vec![Some(states)],
                last: vec![None],
                ..Outputs::default()
            };
            forward(isa, &layer, outputs).expect("the lengths fit");
        };
        let check = |(bits, states): &(Vec<u64>, Vec<f32>)| *bits == packed && *states == membrane;
        per_isa(&mut group, "bits and membrane", &mut both, run, check);
        group.finish();
    }
}

fn backwards(criterion: &mut Criterion) {
    for problem in SHAPES.map(Problem::new) {
        let membrane = problem.membrane();
        let (layer, incoming) = (problem.layer(), problem.incoming());
        let mut group = group(criterion, "backward", &problem);
        let mut current = vec![0.0; membrane.len()];
        for &(name, parameters, slope) in SURROGATES {
            let surrogate = AnySurrogate::new(name, parameters).expect("a known surrogate");
            let (expected, beta, threshold) = problem.gradients(&membrane, slope);
            let largest = expected
                .iter()
                .fold(0.0, |largest: f64, x| largest.max(x.abs()));
            let check = |found: &[f32]| {
                let mut pairs = found.iter().zip(&expected);
                pairs.all(|(&found, &expected)| close(found, expected, largest))
            };
            let run = |isa, current: &mut Vec<f32>| {
                let gradients = Gradients {
                    current: Some(current),
                    initial: vec![None],
                    ..Gradients::default()
                };
                backward(isa, &layer, surrogate, &incoming, gradients).expect("the lengths fit");
            };
            per_isa(&mut group, name, &mut current, run, |found| check(found));
            if name != "atan" {
                continue;
            }

            let mut all = (std::mem::take(&mut current), [0.0], [0.0], [0.0]);
            let run = |isa, all: &mut (Vec<f32>, [f32; 1], [f32; 1], [f32; 1])| {
                let gradients = Gradients {
                    current: Some(&mut all.0),
                    initial: vec![None],
                    learned: Some(Learned {
                        parameters: vec![&mut all.1],
                        threshold: &mut all.2,
                        graded_factor: Some(&mut all.3),
                    }),
                };
                backward(isa, &layer, surrogate, &incoming, gradients).expect("the lengths fit");
            };
            let elements = membrane.len() as f64;
            per_isa(&mut group, "atan, learnable", &mut all, run, |found| {
                check(&found.0)
                    && close(found.1[0], beta, elements.sqrt())
                    && close(found.2[0], threshold, elements.sqrt())
            });
            current = all.0;
        }
        group.finish();
    }
}

criterion_group!(benches, forwards, backwards);
criterion_main!(benches);
