//! Forward: the same bits as the loop over one neuron, on every instruction set.

use crate::case::{Case, Numbers, Quantity, Random};
use crate::views::Layout;
use crate::{RESETS, assert_same_bits, reference};
use bitspike::sequence::{Outputs, forward};
use bitspike::simd::Isa;
use bitspike::spikes::layout::words;
use bitspike::tiling::Shape;
use proptest::prelude::*;

/// Sizes around vectors, words and tiles of each instruction set.
const NEURONS: [usize; 11] = [0, 1, 7, 8, 63, 64, 65, 100, 128, 129, 300];

/// Runs the case on every instruction set, all outputs at once and each alone.
fn check(case: &Case) {
    let expected = reference::forward(case);
    let shape = case.shape;
    for &isa in Isa::available() {
        let mut packed = vec![u64::MAX; shape.steps * shape.samples * words(shape.neurons)];
        let mut dense = vec![f32::NAN; case.len()];
        let mut membrane = vec![f32::NAN; case.len()];
        let mut last = vec![f32::NAN; case.row_len()];
        let outputs = Outputs {
            packed: Some(&mut packed),
            dense: Some(&mut dense),
            states: vec![Some(&mut membrane)],
            last: vec![Some(&mut last)],
        };
        forward(isa, &case.layer(), outputs).expect("lengths fit");
        let what = |name| format!("{name} of {:?} {shape:?} {isa:?}", case.reset);
        assert_eq!(packed, expected.packed, "{}", what("spikes"));
        assert_same_bits(&what("dense spikes"), &dense, &expected.dense);
        assert_same_bits(&what("membrane"), &membrane, &expected.membrane);
        assert_same_bits(&what("last membrane"), &last, &expected.last);

        let mut alone = vec![u64::MAX; packed.len()];
        let outputs = Outputs {
            packed: Some(&mut alone),
            states: vec![None],
            last: vec![None],
            ..Outputs::default()
        };
        forward(isa, &case.layer(), outputs).expect("lengths fit");
        assert_eq!(alone, packed, "{}", what("only spikes"));
    }
}

/// Every size, reset and layout; returns how many steps of neurons were compared.
fn check_sizes(extreme: u64) -> usize {
    let mut random = Random::with_extremes(1, extreme);
    let mut compared = 0;
    for neurons in NEURONS {
        for samples in [0, 1, 3] {
            for steps in [0, 1, 2, 17] {
                let shape = Shape {
                    steps,
                    samples,
                    neurons,
                };
                for reset in RESETS {
                    for parameters in Layout::ONCE {
                        let current = Layout::SEQUENCE[compared % Layout::SEQUENCE.len()];
                        let case = Case::new(reset, shape, current, parameters, &mut random);
                        check(&case);
                        compared += Isa::available().len() * case.len();
                    }
                }
            }
        }
    }
    compared
}

#[test]
fn sizes_resets_and_layouts() {
    let compared = check_sizes(0);
    assert!(compared > 1_000_000 * Isa::available().len(), "{compared}");
}

/// NaN, infinities, subnormal numbers, both zeros, and thresholds that are any of these.
#[test]
fn extreme_numbers() {
    check_sizes(16);
}

#[test]
fn every_layout_of_the_current() {
    let shape = Shape {
        steps: 40,
        samples: 3,
        neurons: 150,
    };
    let mut random = Random::plain(2);
    for current in Layout::SEQUENCE {
        for parameters in Layout::ONCE {
            for reset in RESETS {
                check(&Case::new(reset, shape, current, parameters, &mut random));
            }
        }
    }
}

/// What is run in parts, so that it can be interrupted in between.
#[test]
fn long_sequences() {
    let shape = Shape {
        steps: 17_000,
        samples: 2,
        neurons: 70,
    };
    let mut random = Random::plain(3);
    for reset in RESETS {
        let (current, parameters) = (Layout::Sequence, Layout::Neuron);
        check(&Case::new(reset, shape, current, parameters, &mut random));
    }
}

/// Numbers from a list, over and over.
struct Cycle {
    numbers: Vec<f32>,
    next: usize,
}

impl Numbers for Cycle {
    fn next(&mut self, _: Quantity) -> f32 {
        self.next += 1;
        self.numbers[self.next % self.numbers.len()]
    }
}

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -1.5f32..1.5, 1 => any::<f32>()]
}

proptest! {
    #[test]
    fn any_shape_and_numbers(
        (steps, samples, neurons) in (0..20usize, 0..4usize, 0..200usize),
        reset in prop::sample::select(RESETS.to_vec()),
        current in prop::sample::select(Layout::SEQUENCE.to_vec()),
        parameters in prop::sample::select(Layout::ONCE.to_vec()),
        numbers in prop::collection::vec(number(), 1..50),
    ) {
        let shape = Shape { steps, samples, neurons };
        let mut numbers = Cycle { numbers, next: 0 };
        check(&Case::new(reset, shape, current, parameters, &mut numbers));
    }
}
