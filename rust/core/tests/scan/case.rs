//! Scans with owned buffers, and their definition.

use crate::views::{Layout, Random, View};
use bitspike::scan::{Gradients, Scan, backward, forward};
use bitspike::simd::Isa;
use bitspike::tiling::Shape;

/// A scan with owned buffers; a decay that does not vary is one number per column.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) shape: Shape,
    pub(crate) group: usize,
    pub(crate) varies: bool,
    pub(crate) outer: bool,
    pub(crate) rectified: bool,
    pub(crate) decay: View,
    pub(crate) input: View,
    pub(crate) key: View,
    pub(crate) initial: View,
    pub(crate) grad: View,
}

/// Gradients of input, key, decay and initial value.
pub(crate) type Found = [Vec<f32>; 4];

impl Case {
    pub(crate) fn new(
        (steps, groups, neurons): (usize, usize, usize),
        group: usize,
        [varies, outer, rectified]: [bool; 3],
        seed: u64,
    ) -> Self {
        let shared = Shape {
            steps,
            samples: groups,
            neurons,
        };
        let shape = Shape {
            samples: groups * group,
            ..shared
        };
        let mut random = Random(seed);
        let mut view = |layout, shape| View::new(layout, shape, || random.uniform(-1.0, 1.0));
        let per_row = if outer {
            Layout::Step
        } else {
            Layout::Sequence
        };
        let over_time = if varies {
            Layout::Sequence
        } else {
            Layout::Neuron
        };
        Self {
            shape,
            group,
            varies,
            outer,
            rectified,
            decay: view(over_time, shared),
            input: view(per_row, shape),
            key: view(Layout::Sequence, shared),
            initial: view(Layout::Each, shape),
            grad: view(Layout::Sequence, shape),
        }
    }

    pub(crate) fn scan(&self) -> Scan<'_> {
        Scan {
            shape: self.shape,
            group: self.group,
            decay: self.decay.strided(),
            input: self.input.strided(),
            key: self.outer.then(|| self.key.strided()),
            initial: self.initial.strided(),
            rectified: self.rectified,
        }
    }

    /// Numbers of a step of decay and key.
    fn shared(&self) -> usize {
        self.shape.samples / self.group * self.shape.neurons
    }

    /// The definition, forward.
    fn outputs(&self) -> Vec<f32> {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let mut y = vec![0.0; steps * samples * neurons];
        for (t, row, n) in self.indices() {
            let at = (t * samples + row) * neurons + n;
            let before = self.before(&y, t, row, n);
            let mut x = self.input.at(t, row, n);
            if self.outer {
                x *= self.key.at(t, row / self.group, n);
            }
            let sum = self.decay.at(t, row / self.group, n) * before + x;
            y[at] = if self.rectified && sum < 0.0 {
                0.0
            } else {
                sum
            };
        }
        y
    }

    fn before(&self, y: &[f32], t: usize, row: usize, n: usize) -> f32 {
        let Shape {
            samples, neurons, ..
        } = self.shape;
        match t.checked_sub(1) {
            Some(t) => y[(t * samples + row) * neurons + n],
            None => self.initial.at(0, row, n),
        }
    }

    fn indices(&self) -> impl DoubleEndedIterator<Item = (usize, usize, usize)> + use<> {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        (0..steps * samples * neurons)
            .map(move |i| (i / neurons / samples, i / neurons % samples, i % neurons))
    }

    /// The definition, backward.
    fn gradients(&self, y: &[f32]) -> Found {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let mut carry = vec![0.0f32; samples * neurons];
        let per_row = if self.outer { 1 } else { neurons };
        let mut input = vec![0.0; steps * samples * per_row];
        let mut key = vec![0.0; if self.outer { steps * self.shared() } else { 0 }];
        // What does not vary is summed over time row by row, then over rows with more digits.
        let mut decay = vec![0.0; steps * self.shared()];
        let mut over_time = vec![0.0f32; samples * neurons];
        let rows = (0..steps)
            .rev()
            .flat_map(|t| (0..samples).map(move |row| (t, row)));
        for (t, row) in rows {
            for n in 0..neurons {
                let at = (t * samples + row) * neurons + n;
                let mut delta = self.grad.at(t, row, n) + carry[row * neurons + n];
                if self.rectified && y[at] <= 0.0 {
                    delta = 0.0;
                }
                carry[row * neurons + n] = self.decay.at(t, row / self.group, n) * delta;
                let shared = t * self.shared() + row / self.group * neurons + n;
                if self.outer {
                    input[t * samples + row] += delta * self.key.data[shared];
                    key[shared] += delta * self.input.at(t, row, n);
                } else {
                    input[at] = delta;
                }
                let share = delta * self.before(y, t, row, n);
                decay[shared] += share;
                over_time[row * neurons + n] += share;
            }
        }
        if !self.varies {
            decay = self.sum_rows(&over_time);
        }
        [input, key, decay, carry]
    }

    fn sum_rows(&self, over_time: &[f32]) -> Vec<f32> {
        let neurons = self.shape.neurons;
        let mut sums = vec![0.0f64; self.decay.data.len()];
        for group in over_time.chunks((self.group * neurons).max(1)) {
            for n in 0..neurons {
                let rows = group.chunks(neurons).map(|row| row[n]);
                sums[n] += f64::from(rows.reduce(|a, b| a + b).unwrap_or(0.0));
            }
        }
        sums.into_iter().map(|sum| sum as f32).collect()
    }

    pub(crate) fn run(&self, isa: Isa) -> (Vec<f32>, Found) {
        let (scan, rows) = (self.scan(), self.shape.steps * self.shape.samples);
        let nan = |len| vec![f32::NAN; len];
        let mut y = nan(rows * self.shape.neurons);
        forward(isa, &scan, &mut y).expect("lengths fit");
        let mut input = nan(if self.outer { rows } else { y.len() });
        let shared = self.shape.steps * self.shared();
        let mut key = nan(if self.outer { shared } else { 0 });
        let mut decay = nan(if self.varies {
            shared
        } else {
            self.decay.data.len()
        });
        let mut initial = nan(self.shape.samples * self.shape.neurons);
        let gradients = Gradients {
            input: Some(&mut input),
            key: self.outer.then_some(&mut key[..]),
            decay: Some(&mut decay),
            initial: Some(&mut initial),
        };
        backward(isa, &scan, &y, self.grad.strided(), gradients).expect("lengths fit");
        (y, [input, key, decay, initial])
    }

    #[track_caller]
    pub(crate) fn assert_runs(&self) {
        let y = self.outputs();
        let gradients = self.gradients(&y);
        for &isa in Isa::available() {
            let (found, found_gradients) = self.run(isa);
            assert_same_bits("outputs", &found, &y);
            let names = ["input", "key", "decay", "initial"];
            for (name, (found, expected)) in
                names.iter().zip(found_gradients.iter().zip(&gradients))
            {
                assert_same_bits(name, found, expected);
            }
        }
    }
}

#[track_caller]
fn assert_same_bits(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        // The sign of a zero sum depends on whether it starts from 0 or from its first term.
        let same = found.to_bits() == expected.to_bits() || *found == 0.0 && *expected == 0.0;
        assert!(same, "{what}[{i}] is {found:e}, not {expected:e}");
    }
}
