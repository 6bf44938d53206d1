//! A program, its inputs in memory of some layout, and what it gives.

use crate::bits::packed;
use crate::reference::{self, Trace};
use crate::views::{Layout, View};
use bitspike::program::{Compiled, Gradients, Inputs, Outputs, Program, backward, forward};
use bitspike::sequence::OutputGradients;
use bitspike::simd::Isa;
use bitspike::spikes::layout::words;
use bitspike::tiling::Shape;

/// What a program runs on.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) program: Program,
    pub(crate) shape: Shape,
    pub(crate) sequences: Vec<View>,
    pub(crate) initial: Vec<View>,
    pub(crate) constants: Vec<View>,
}

/// Everything that a program gives.
#[derive(Clone, Debug)]
pub(crate) struct Results {
    pub(crate) packed: Vec<u64>,
    pub(crate) dense: Vec<f32>,
    pub(crate) states: Vec<Vec<f32>>,
    pub(crate) last: Vec<Vec<f32>>,
    pub(crate) outputs: Vec<Vec<f32>>,
}

/// Gradients that come in.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) spikes: View,
    pub(crate) states: Vec<View>,
    pub(crate) last: Vec<View>,
}

/// Gradients of sequences, initial states and constants.
pub(crate) type Found = [Vec<Vec<f32>>; 3];

/// Checks that numbers are the same, all NaNs alike.
#[track_caller]
pub(crate) fn assert_bits(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same, "{what}: {a:e} at {i}, not {b:e}");
    }
}

fn once(shape: Shape) -> Shape {
    Shape { steps: 1, ..shape }
}

impl Case {
    /// One step of one sequence, a row.
    pub(crate) fn row(program: Program, x: &[f32]) -> Self {
        let shape = Shape {
            steps: 1,
            samples: 1,
            neurons: x.len(),
        };
        let mut numbers = x.iter().copied();
        let next = || numbers.next().expect("a number for each neuron");
        Self {
            program,
            shape,
            sequences: vec![View::new(Layout::Sequence, shape, next)],
            initial: Vec::new(),
            constants: Vec::new(),
        }
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            shape: self.shape,
            sequences: self.sequences.iter().map(View::strided).collect(),
            initial: self.initial.iter().map(View::strided).collect(),
            constants: self.constants.iter().map(View::strided).collect(),
        }
    }

    pub(crate) fn forward(&self, isa: Isa) -> Results {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let (row, states) = (samples * neurons, self.program.states);
        let filled = |count: usize, len: usize| vec![vec![f32::NAN; len]; count];
        let mut results = Results {
            packed: vec![u64::MAX; steps * samples * words(neurons)],
            dense: vec![f32::NAN; steps * row],
            states: filled(states, steps * row),
            last: filled(states, row),
            outputs: filled(self.program.outputs.len(), steps * row),
        };
        let has_spikes = self.program.spikes.is_some();
        let outputs = Outputs {
            packed: has_spikes.then_some(&mut results.packed),
            dense: None,
            states: slices(&mut results.states),
            last: slices(&mut results.last),
            outputs: slices(&mut results.outputs),
        };
        let compiled = Compiled::new(self.program.clone()).expect("a good program");
        let inputs = self.inputs();
        forward(isa, &compiled, &inputs, outputs).expect("buffers fit");
        let outputs = Outputs {
            dense: has_spikes.then_some(&mut results.dense),
            states: none(states),
            last: none(states),
            outputs: none(self.program.outputs.len()),
            ..Outputs::default()
        };
        forward(isa, &compiled, &inputs, outputs).expect("buffers fit");
        results
    }

    pub(crate) fn backward(&self, isa: Isa, adjoint: &Program, incoming: &Incoming) -> Found {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let row = samples * neurons;
        let mut found = [
            vec![vec![f32::NAN; steps * row]; self.sequences.len()],
            vec![vec![f32::NAN; row]; self.initial.len()],
            self.constants
                .iter()
                .map(|x| vec![f32::NAN; x.data.len()])
                .collect(),
        ];
        let [sequences, initial, constants] = found.each_mut().map(|x| slices(x));
        let gradients = Gradients {
            sequences,
            initial,
            constants,
        };
        let [program, adjoint] = [&self.program, adjoint]
            .map(|program| Compiled::new(program.clone()).expect("a good program"));
        let incoming = OutputGradients {
            spikes: incoming.spikes.strided(),
            states: incoming.states.iter().map(View::strided).collect(),
            last: incoming.last.iter().map(View::strided).collect(),
        };
        backward(
            isa,
            &program,
            &adjoint,
            &self.inputs(),
            &incoming,
            gradients,
        )
        .expect("buffers fit");
        found
    }

    /// One neuron of one sample, by the interpreter.
    fn trace(&self, sample: usize, neuron: usize) -> Trace {
        let at = |views: &[View], t| -> Vec<f32> {
            views.iter().map(|x| x.at(t, sample, neuron)).collect()
        };
        let steps = (0..self.shape.steps).map(|t| at(&self.sequences, t));
        reference::run(
            &self.program,
            steps,
            &at(&self.initial, 0),
            &at(&self.constants, 0),
        )
    }

    /// What the interpreter gives, neuron by neuron.
    pub(crate) fn expected(&self) -> Results {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let (row, states) = (samples * neurons, self.program.states);
        let outputs = self.program.outputs.len();
        let mut results = Results {
            packed: Vec::new(),
            dense: vec![0.0; steps * row],
            states: vec![vec![0.0; steps * row]; states],
            last: self.initial.iter().map(|_| vec![0.0; row]).collect(),
            outputs: vec![vec![0.0; steps * row]; outputs],
        };
        for i in 0..row {
            let (sample, neuron) = (i / neurons, i % neurons);
            let trace = self.trace(sample, neuron);
            for t in 0..steps {
                if let Some(&spike) = trace.spikes.get(t) {
                    results.dense[t * row + i] = spike;
                }
                for (k, out) in results.outputs.iter_mut().enumerate() {
                    out[t * row + i] = trace.outputs[t][k];
                }
                for (k, out) in results.states.iter_mut().enumerate() {
                    out[t * row + i] = trace.states[t][k];
                }
            }
            for (k, out) in results.last.iter_mut().enumerate() {
                let initial = self.initial[k].at(0, sample, neuron);
                out[i] = trace.states.last().map_or(initial, |states| states[k]);
            }
        }
        let fired: Vec<_> = results.dense.iter().map(|x| *x != 0.0).collect();
        results.packed = packed(&fired, steps * samples, neurons);
        results
    }

    /// What the interpreter gives of the adjoint.
    pub(crate) fn expected_backward(&self, adjoint: &Program, incoming: &Incoming) -> Found {
        let (steps, neurons) = (self.shape.steps, self.shape.neurons);
        let row = self.shape.samples * neurons;
        let mut found = [
            vec![vec![0.0; steps * row]; self.sequences.len()],
            vec![vec![0.0; row]; self.initial.len()],
            Vec::new(),
        ];
        let mut sums: Vec<_> = self
            .constants
            .iter()
            .map(|x| vec![0.0f64; x.data.len()])
            .collect();
        for i in 0..row {
            let (sample, neuron) = (i / neurons, i % neurons);
            let at = |views: &[View], t| -> Vec<f32> {
                views.iter().map(|x| x.at(t, sample, neuron)).collect()
            };
            let before = [
                vec![at(&self.initial, 0)],
                self.trace(sample, neuron).states,
            ]
            .concat();
            let sequences = (0..steps).rev().map(|t| {
                let spikes = incoming.spikes.at(t, sample, neuron);
                let (own, states) = (at(&self.sequences, t), at(&incoming.states, t));
                [own, before[t].clone(), vec![spikes], states].concat()
            });
            let (last, constants) = (at(&incoming.last, 0), at(&self.constants, 0));
            let trace = reference::run(adjoint, sequences, &last, &constants);
            for (n, outputs) in trace.outputs.iter().enumerate() {
                for (out, &value) in found[0].iter_mut().zip(outputs) {
                    out[(steps - 1 - n) * row + i] = value;
                }
            }
            let first = trace.states.last().unwrap_or(&last);
            for (out, &value) in found[1].iter_mut().zip(first) {
                out[i] = value;
            }
            for ((sum, view), &value) in sums.iter_mut().zip(&self.constants).zip(&trace.sums) {
                sum[view.offset(0, sample, neuron)] += f64::from(value);
            }
        }
        let rounded = |sum: Vec<f64>| sum.into_iter().map(|x| x as f32).collect();
        found[2] = sums.into_iter().map(rounded).collect();
        found
    }
}

impl Incoming {
    pub(crate) fn new(
        layouts: [Layout; 2],
        shape: Shape,
        states: usize,
        mut fill: impl FnMut() -> f32,
    ) -> Self {
        let mut view = |layout, shape| View::new(layout, shape, &mut fill);
        Self {
            spikes: view(layouts[0], shape),
            states: (0..states).map(|_| view(layouts[0], shape)).collect(),
            last: (0..states).map(|_| view(layouts[1], once(shape))).collect(),
        }
    }
}

/// All results, wanted.
fn slices(results: &mut [Vec<f32>]) -> Vec<Option<&mut [f32]>> {
    results.iter_mut().map(|x| Some(&mut x[..])).collect()
}

/// So many results, unwanted.
fn none<'a>(count: usize) -> Vec<Option<&'a mut [f32]>> {
    (0..count).map(|_| None).collect()
}

impl Results {
    /// Checks that results are the same.
    #[track_caller]
    pub(crate) fn assert_is(&self, expected: &Self, program: &Program, what: &str) {
        if program.spikes.is_some() {
            assert_eq!(self.packed, expected.packed, "{what}: packed spikes");
            assert_bits(
                &self.dense,
                &expected.dense,
                &format!("{what}: dense spikes"),
            );
        }
        let pairs = [
            ("states", &self.states, &expected.states),
            ("last", &self.last, &expected.last),
            ("outputs", &self.outputs, &expected.outputs),
        ];
        for (name, found, expected) in pairs {
            for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_bits(found, expected, &format!("{what}: {name} {k}"));
            }
        }
    }
}
