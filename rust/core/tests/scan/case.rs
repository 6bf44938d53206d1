//! Scans with owned buffers, and their definition.

use bitspike::scan::{Gradients, Scan, backward, forward};
use bitspike::simd::Isa;
use bitspike::tiling::{Shape, Strided};

/// A scan with owned buffers. Rows, groups and columns have no gaps; a decay that does not vary is
/// one number per column.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) shape: Shape,
    pub(crate) group: usize,
    pub(crate) varies: bool,
    pub(crate) outer: bool,
    pub(crate) rectified: bool,
    pub(crate) decay: Vec<f32>,
    pub(crate) input: Vec<f32>,
    pub(crate) key: Vec<f32>,
    pub(crate) initial: Vec<f32>,
    pub(crate) grad: Vec<f32>,
}

/// Gradients of input, key, decay and initial value.
pub(crate) type Found = [Vec<f32>; 4];

impl Case {
    pub(crate) fn new(
        (steps, groups, neurons): (usize, usize, usize),
        group: usize,
        [varies, outer, rectified]: [bool; 3],
        seed: u32,
    ) -> Self {
        let mut state = seed;
        let mut random = |count: usize| -> Vec<f32> {
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            (0..count).map(next).collect()
        };
        let rows = groups * group;
        let shared = groups * neurons;
        Self {
            shape: Shape {
                steps,
                samples: rows,
                neurons,
            },
            group,
            varies,
            outer,
            rectified,
            decay: random(if varies { steps * shared } else { neurons }),
            input: random(steps * rows * if outer { 1 } else { neurons }),
            key: random(if outer { steps * shared } else { 0 }),
            initial: random(rows * neurons),
            grad: random(steps * rows * neurons),
        }
    }

    pub(crate) fn scan(&self) -> Scan<'_> {
        let Shape {
            samples, neurons, ..
        } = self.shape;
        let shared = samples / self.group * neurons;
        let view = |data, time, sample, per_neuron| Strided {
            data,
            time,
            sample,
            per_neuron,
        };
        Scan {
            shape: self.shape,
            group: self.group,
            decay: if self.varies {
                view(&self.decay, shared, neurons, true)
            } else {
                view(&self.decay, 0, 0, true)
            },
            input: if self.outer {
                view(&self.input, samples, 1, false)
            } else {
                view(&self.input, samples * neurons, neurons, true)
            },
            key: self.outer.then(|| view(&self.key, shared, neurons, true)),
            initial: view(&self.initial, 0, neurons, true),
            rectified: self.rectified,
        }
    }

    /// Where decay and key of this step and row begin.
    fn shared(&self, t: usize, row: usize) -> usize {
        let groups = self.shape.samples / self.group;
        (t * groups + row / self.group) * self.shape.neurons
    }

    fn decay_at(&self, t: usize, row: usize) -> usize {
        if self.varies { self.shared(t, row) } else { 0 }
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
            let x = if self.outer {
                self.input[t * samples + row] * self.key[self.shared(t, row) + n]
            } else {
                self.input[at]
            };
            let sum = self.decay[self.decay_at(t, row) + n] * before + x;
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
            None => self.initial[row * neurons + n],
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
        let mut input = vec![0.0; self.input.len()];
        let mut key = vec![0.0; self.key.len()];
        // What does not vary is summed over time row by row, then over rows with more digits.
        let mut decay = vec![0.0; steps.max(1) * samples / self.group * neurons];
        let mut over_time = vec![0.0f32; samples * neurons];
        let rows = (0..steps)
            .rev()
            .flat_map(|t| (0..samples).map(move |row| (t, row)));
        for (t, row) in rows {
            for n in 0..neurons {
                let at = (t * samples + row) * neurons + n;
                let mut delta = self.grad[at] + carry[row * neurons + n];
                if self.rectified && y[at] <= 0.0 {
                    delta = 0.0;
                }
                carry[row * neurons + n] = self.decay[self.decay_at(t, row) + n] * delta;
                let shared = self.shared(t, row) + n;
                if self.outer {
                    input[t * samples + row] += delta * self.key[shared];
                    key[shared] += delta * self.input[t * samples + row];
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
        decay.truncate(self.decay.len());
        [input, key, decay, carry]
    }

    fn sum_rows(&self, over_time: &[f32]) -> Vec<f32> {
        let neurons = self.shape.neurons;
        let mut sums = vec![0.0f64; neurons];
        for group in over_time.chunks((self.group * neurons).max(1)) {
            for n in 0..neurons {
                let rows = group.chunks(neurons).map(|row| row[n]);
                sums[n] += f64::from(rows.reduce(|a, b| a + b).unwrap_or(0.0));
            }
        }
        sums.into_iter().map(|sum| sum as f32).collect()
    }

    pub(crate) fn run(&self, isa: Isa) -> (Vec<f32>, Found) {
        let scan = self.scan();
        let mut y = vec![f32::NAN; self.grad.len()];
        forward(isa, &scan, &mut y).expect("lengths fit");
        let grad = Strided {
            data: &self.grad,
            time: self.initial.len(),
            sample: self.shape.neurons,
            per_neuron: true,
        };
        let of = |x: &Vec<f32>| vec![f32::NAN; x.len()];
        let [mut input, mut key, mut decay, mut initial] =
            [&self.input, &self.key, &self.decay, &self.initial].map(of);
        let gradients = Gradients {
            input: Some(&mut input),
            key: self.outer.then_some(&mut key[..]),
            decay: Some(&mut decay),
            initial: Some(&mut initial),
        };
        backward(isa, &scan, &y, grad, gradients).expect("lengths fit");
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
