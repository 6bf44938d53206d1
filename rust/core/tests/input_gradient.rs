//! The gradient of a product's input from errors, bit for bit against plain loops, and against the
//! dense product in double precision.

use bitspike::Error;
use bitspike::matmul::{FilteredErrors, Matrix, input_gradient};
use bitspike::simd::Isa;
use bitspike::tiling::Shape;
use proptest::prelude::*;

#[path = "common/errors.rs"]
mod errors;
#[path = "common/threads.rs"]
mod threads;
#[path = "common/views.rs"]
mod views;
use errors::listed;
use threads::on_threads;
use views::{Random, bits};

/// Errors `[T, B, N]`, dense and as lists, and weights `[N, K]`.
#[derive(Debug)]
struct Case {
    shape: Shape,
    inputs: usize,
    decay: f32,
    errors: Vec<f32>,
    active: Vec<u64>,
    values: Vec<f32>,
    weights: Vec<f32>,
}

impl Case {
    fn new([steps, samples, neurons, inputs]: [usize; 4], share: f32, seed: u64) -> Self {
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
        let weights = (0..neurons * inputs).map(|_| random.uniform(-1.0, 1.0));
        let shape = Shape {
            steps,
            samples,
            neurons,
        };
        Self {
            shape,
            inputs,
            decay: 0.9,
            weights: weights.collect(),
            ..Self::of(shape, errors)
        }
    }

    /// The lists of dense errors.
    fn of(shape: Shape, errors: Vec<f32>) -> Self {
        let (active, values) = listed(shape, &errors);
        Self {
            shape,
            inputs: 0,
            decay: 0.0,
            errors,
            active,
            values,
            weights: Vec::new(),
        }
    }

    fn filtered(&self) -> FilteredErrors<'_> {
        FilteredErrors {
            shape: self.shape,
            active: &self.active,
            values: &self.values,
            decay: self.decay,
        }
    }

    /// The kernel's result; None if it refuses the weights.
    fn run(&self, isa: Isa, transposed: bool) -> Option<Vec<f32>> {
        let (n, k) = (self.shape.neurons, self.inputs);
        let mut turned = vec![0.0; n * k];
        for (i, &w) in self.weights.iter().enumerate() {
            turned[i % k * n + i / k] = w;
        }
        let weights = if transposed {
            Matrix::new("weights", &turned, [n, k], [1, n])
        } else {
            Matrix::new("weights", &self.weights, [n, k], [k, 1])
        };
        let mut out = vec![f32::NAN; self.shape.steps * self.shape.samples * k];
        let done = input_gradient(isa, self.filtered(), weights.expect("it fits"), &mut out);
        done.expect("lengths fit").then_some(out)
    }

    /// The same sums in plain loops, in the order that is promised.
    fn plain(&self) -> Vec<f32> {
        let (n, k) = (self.shape.neurons, self.inputs);
        let rows = self.shape.steps * self.shape.samples;
        let mut out = vec![0.0f32; rows * k];
        for row in (0..rows).rev() {
            for input in 0..k {
                let after = out.get((row + self.shape.samples) * k + input);
                let mut sum = after.map_or(0.0, |after| after * self.decay);
                for neuron in 0..n {
                    let error = self.errors[row * n + neuron];
                    if error != 0.0 {
                        sum += error * self.weights[neuron * k + input];
                    }
                }
                out[row * k + input] = sum;
            }
        }
        out
    }

    /// The dense product of the filtered errors in double precision, and the sums of magnitudes.
    fn dense(&self) -> Vec<[f64; 2]> {
        let (n, k) = (self.shape.neurons, self.inputs);
        let row = self.shape.samples * n;
        let mut delta: Vec<_> = self
            .errors
            .iter()
            .map(|&x| [f64::from(x), f64::from(x).abs()])
            .collect();
        for i in (0..delta.len().saturating_sub(row)).rev() {
            let later = delta[i + row];
            (0..2).for_each(|j| delta[i][j] += f64::from(self.decay) * later[j]);
        }
        let mut out = Vec::new();
        for delta in delta.chunks(n.max(1)) {
            for input in 0..k {
                let weights = (0..n).map(|neuron| f64::from(self.weights[neuron * k + input]));
                let terms = delta.iter().zip(weights);
                out.push(terms.fold([0.0; 2], |[sum, size], (delta, w)| {
                    [sum + delta[0] * w, size + delta[1] * w.abs()]
                }));
            }
        }
        out
    }
}

/// Steps, samples, neurons and inputs: empty ones, odd ones, and ones that need several tiles.
fn shape() -> impl Strategy<Value = [usize; 4]> {
    prop_oneof![
        3 => (0usize..12, 0usize..4, 0usize..200, 0usize..200),
        1 => (60usize..200, 1usize..3, 1usize..20, 1usize..70),
        1 => (1usize..5, 1usize..3, 500usize..1300, 1usize..20),
    ]
    .prop_map(|(t, b, n, k)| [t, b, n, k])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn it_equals_plain_loops(
        shape in shape(),
        share in prop::sample::select(vec![0.0f32, 0.01, 0.1, 0.5, 1.0]),
        transposed: bool,
        seed: u64,
    ) {
        let case = Case::new(shape, share, seed);
        let expected = case.plain();
        for threads in [1, 3] {
            on_threads(threads);
            for &isa in Isa::available() {
                let found = case.run(isa, transposed).expect("weights are finite");
                prop_assert_eq!(bits(&found), bits(&expected), "{:?}", isa);
            }
        }
        if shape[2] != 0 {
            for (found, [exact, size]) in expected.into_iter().zip(case.dense()) {
                prop_assert!((f64::from(found) - exact).abs() <= 1e-6 * size, "{found} {exact}");
            }
        }
    }
}

#[test]
fn threads_change_nothing() {
    let case = Case::new([300, 5, 150, 130], 0.1, 1);
    let expected = bits(&case.plain());
    for threads in 1..=4 {
        on_threads(threads);
        for &isa in Isa::available() {
            assert_eq!(bits(&case.run(isa, false).expect("finite")), expected);
        }
    }
}

#[test]
fn results_larger_than_caches() {
    on_threads(2);
    let case = Case::new([1100, 4, 20, 500], 0.1, 2);
    let expected = bits(&case.plain());
    for &isa in Isa::available() {
        assert_eq!(bits(&case.run(isa, false).expect("finite")), expected);
    }
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in [0, 64 * 70 - 1, 31 * 70 + 69] {
            let mut case = Case::new([3, 2, 64, 70], 0.1, 3);
            case.weights[at] = bad;
            for &isa in Isa::available() {
                assert_eq!(case.run(isa, true), None);
            }
        }
    }
}

#[test]
fn errors_that_are_not_finite_count() {
    let shape = Shape {
        steps: 3,
        samples: 1,
        neurons: 2,
    };
    for (bad, expected) in [
        (f32::NAN, [f32::NAN; 2]),
        (f32::INFINITY, [f32::INFINITY, f32::NEG_INFINITY]),
    ] {
        let case = Case {
            inputs: 2,
            decay: 0.5,
            weights: vec![1.0, -1.0, 3.0, 5.0],
            ..Case::of(shape, vec![1.0, 0.0, bad, 0.0, 0.0, 1.0])
        };
        for &isa in Isa::available() {
            let found = case.run(isa, false).expect("weights are finite");
            let expected = [expected, expected, [3.0, 5.0]].concat();
            assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        }
    }
}

#[test]
fn wrong_lengths_and_padding_are_refused() {
    let case = Case::new([2, 1, 3, 2], 1.0, 4);
    let weights = |shape| Matrix::new("weights", &case.weights, shape, [2, 1]).expect("it fits");
    let run =
        |errors, weights, len| input_gradient(Isa::Scalar, errors, weights, &mut vec![0.0; len]);
    let length = |what, found, expected| {
        Err(Error::Length {
            what,
            found,
            expected,
        })
    };
    let errors = case.filtered();
    assert_eq!(run(errors, weights([3, 2]), 4), Ok(true));
    assert_eq!(run(errors, weights([3, 2]), 5), length("out", 5, 4));
    assert_eq!(run(errors, weights([2, 2]), 4), length("weights", 2, 3));
    let few = FilteredErrors {
        values: &case.values[1..],
        ..errors
    };
    assert_eq!(run(few, weights([3, 2]), 4), length("values", 127, 128));
    let few = FilteredErrors {
        active: &case.active[1..],
        ..errors
    };
    assert_eq!(run(few, weights([3, 2]), 4), length("spikes", 1, 2));
    let padded = FilteredErrors {
        active: &[1, 8],
        ..errors
    };
    assert_eq!(
        run(padded, weights([3, 2]), 4),
        Err(Error::Padding { neurons: 3 })
    );
}
