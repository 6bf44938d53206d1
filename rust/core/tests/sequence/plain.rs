//! Neurons that share their constants: the same bits as neurons with the same numbers of their own.

use crate::backward::{Found, incoming};
use crate::case::{Case, Random};
use crate::surrogate::SURROGATES;
use crate::views::{Layout, View};
use crate::{RESETS, assert_same_bits, delayed};
use bitspike::neuron::Mechanism;
use bitspike::sequence::{Outputs, forward};
use bitspike::simd::Isa;
use bitspike::spikes::layout::words;
use bitspike::tiling::Shape;

/// The case with a number for each neuron, which is that of all.
fn with_own_numbers(case: &Case) -> Case {
    let Shape { neurons, .. } = case.shape;
    let own = |view: &View| {
        let mut places = (0..).map(|i| (i / neurons, i % neurons));
        let mut next = || {
            places
                .next()
                .map(|(sample, neuron)| view.at(0, sample, neuron))
        };
        View::new(Layout::Each, case.shape, || next().expect("there are more"))
    };
    Case {
        beta: own(&case.beta),
        threshold: own(&case.threshold),
        graded: own(&case.graded),
        ..case.clone()
    }
}

/// Spikes as bits and as numbers, and membranes.
fn outputs(isa: Isa, case: &Case) -> (Vec<u64>, [Vec<f32>; 2]) {
    let shape = case.shape;
    let mut packed = vec![u64::MAX; shape.steps * shape.samples * words(shape.neurons)];
    let [mut dense, mut membrane] = [(); 2].map(|()| vec![f32::NAN; case.len()]);
    let outputs = Outputs {
        packed: Some(&mut packed),
        dense: Some(&mut dense),
        states: vec![Some(&mut membrane)],
        last: vec![None],
    };
    forward(isa, &case.layer(), outputs).expect("lengths fit");
    (packed, [dense, membrane])
}

#[test]
fn shared_numbers_give_the_bits_of_own_numbers() {
    let mut random = [0, 16].map(|extreme| Random::with_extremes(31, extreme));
    for (steps, samples, neurons) in [(1, 1, 64), (17, 3, 200), (1100, 1, 128), (40, 2, 256)] {
        let shape = Shape {
            steps,
            samples,
            neurons,
        };
        for (reset, source) in RESETS.iter().flat_map(|&reset| [(reset, 0), (reset, 1)]) {
            let random = &mut random[source];
            for layout in [Layout::One, Layout::Sample] {
                let case = Case::new(reset, shape, Layout::Sequence, layout, random);
                let (own, incoming) = (
                    with_own_numbers(&case),
                    incoming(Layout::Sequence, shape, random),
                );
                for &isa in Isa::available() {
                    let (found, expected) = (outputs(isa, &case), outputs(isa, &own));
                    assert_eq!(found.0, expected.0, "{reset:?} {isa:?}");
                    for (found, expected) in found.1.iter().zip(&expected.1) {
                        assert_same_bits("output", found, expected);
                    }
                    for surrogate in [SURROGATES[0], SURROGATES[1]] {
                        let by = |case| Found::not_learning(isa, case, surrogate, &incoming);
                        by(&case).assert_same_bits(&by(&own));
                    }
                }
            }
        }
    }
}

#[test]
fn one_other_number_is_seen() {
    let shape = Shape {
        steps: 20,
        samples: 1,
        neurons: 64,
    };
    let reset = delayed(Mechanism::Subtract);
    let mut random = Random::plain(32);
    let case = Case::new(reset, shape, Layout::Sequence, Layout::One, &mut random);
    for &isa in Isa::available() {
        let shared = outputs(isa, &case).0;
        assert!(shared.iter().any(|word| word >> 63 == 1));
        let mut other = with_own_numbers(&case);
        other.threshold.data[63] = f32::INFINITY;
        let expected: Vec<_> = shared.iter().map(|word| word & (u64::MAX >> 1)).collect();
        assert_eq!(outputs(isa, &other).0, expected);
    }
}
