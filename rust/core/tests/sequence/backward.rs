//! Backward: the gradients of the loop over one neuron in double precision, and the same bits on
//! every instruction set.

use crate::case::{Case, Numbers, Quantity, Random};
use crate::reference::{self, Incoming, Scaled};
use crate::surrogate::{Formula, SURROGATES};
use crate::views::{Layout, View};
use crate::{RESETS, assert_same_bits};
use bitspike::sequence::{Gradients, Learned, OutputGradients, backward};
use bitspike::simd::Isa;
use bitspike::tiling::Shape;

/// Gradients that come in, in one layout.
pub(crate) fn incoming(layout: Layout, shape: Shape, random: &mut Random) -> Incoming {
    let mut view = |layout| View::new(layout, shape, || random.next(Quantity::Gradient));
    Incoming {
        spikes: view(layout),
        membrane: view(layout),
        last: view(Layout::Each),
    }
}

/// Which gradients to compute.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    current: bool,
    initial: bool,
    learnable: bool,
}

/// What backward writes; what is not wanted is empty.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) current: Vec<f32>,
    initial: Vec<f32>,
    beta: Vec<f32>,
    threshold: Vec<f32>,
    graded: Vec<f32>,
}

impl Found {
    pub(crate) fn all(isa: Isa, case: &Case, surrogate: Formula<'_>, incoming: &Incoming) -> Self {
        let all = Wanted {
            current: true,
            initial: true,
            learnable: true,
        };
        Self::wanted(isa, case, surrogate, incoming, all)
    }

    /// All but those of what can be learned.
    pub(crate) fn not_learning(
        isa: Isa,
        case: &Case,
        surrogate: Formula<'_>,
        incoming: &Incoming,
    ) -> Self {
        let wanted = Wanted {
            current: true,
            initial: true,
            learnable: false,
        };
        Self::wanted(isa, case, surrogate, incoming, wanted)
    }

    fn wanted(
        isa: Isa,
        case: &Case,
        surrogate: Formula<'_>,
        incoming: &Incoming,
        wanted: Wanted,
    ) -> Self {
        let buffer = |wanted, len| vec![f32::NAN; if wanted { len } else { 0 }];
        let mut found = Self {
            current: buffer(wanted.current, case.len()),
            initial: buffer(wanted.initial, case.row_len()),
            beta: buffer(wanted.learnable, case.beta.data.len()),
            threshold: buffer(wanted.learnable, case.threshold.data.len()),
            graded: buffer(wanted.learnable, case.graded.data.len()),
        };
        let gradients = Gradients {
            current: wanted.current.then_some(&mut found.current),
            initial: vec![wanted.initial.then_some(&mut found.initial)],
            learned: wanted.learnable.then_some(Learned {
                parameters: vec![&mut found.beta],
                threshold: &mut found.threshold,
                graded_factor: Some(&mut found.graded),
            }),
        };
        let incoming = OutputGradients {
            spikes: incoming.spikes.strided(),
            states: vec![incoming.membrane.strided()],
            last: vec![incoming.last.strided()],
        };
        let surrogate = surrogate.surrogate();
        backward(isa, &case.layer(), surrogate, &incoming, gradients).expect("lengths fit");
        found
    }

    /// Whatever both have computed holds the same bits.
    #[track_caller]
    pub(crate) fn assert_same_bits(&self, other: &Self) {
        for (what, found, expected) in [
            ("gradient of current", &self.current, &other.current),
            ("gradient of initial", &self.initial, &other.initial),
            ("gradient of beta", &self.beta, &other.beta),
            ("gradient of threshold", &self.threshold, &other.threshold),
            ("gradient of graded factor", &self.graded, &other.graded),
        ] {
            if !found.is_empty() && !expected.is_empty() {
                assert_same_bits(what, found, expected);
            }
        }
    }
}

#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[Scaled]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected.value).abs();
        // A number of the smallest kind that has all its digits is as good as 0.
        let allowed = 1e-5 * expected.size + f64::from(f32::MIN_POSITIVE);
        assert!(
            error <= allowed,
            "{what}[{i}] is {found:e}, not {expected:?}"
        );
    }
}

/// Checks every instruction set; the fastest also on every choice of gradients.
fn check(case: &Case, surrogate: Formula<'_>, incoming: &Incoming) {
    let expected = reference::backward(case, surrogate, incoming);
    let scalar = Found::all(Isa::Scalar, case, surrogate, incoming);
    let what = |of: &str| format!("{of} {:?} {:?} {}", case.reset, case.shape, surrogate.name);
    assert_close(&what("current"), &scalar.current, &expected.current);
    assert_close(&what("initial"), &scalar.initial, &expected.initial);
    assert_close(&what("beta"), &scalar.beta, &expected.beta);
    assert_close(&what("threshold"), &scalar.threshold, &expected.threshold);
    assert_close(&what("graded"), &scalar.graded, &expected.graded);
    for &isa in Isa::available() {
        for choice in 0..8 {
            let wanted = Wanted {
                current: choice & 1 == 0,
                initial: choice & 2 == 0,
                learnable: choice & 4 == 0,
            };
            Found::wanted(isa, case, surrogate, incoming, wanted).assert_same_bits(&scalar);
        }
    }
}

#[test]
fn every_surrogate_reset_and_choice_of_gradients() {
    let mut random = Random::plain(3);
    for (i, &surrogate) in SURROGATES.iter().enumerate() {
        for (j, reset) in RESETS.into_iter().enumerate() {
            let shape = Shape {
                steps: 30,
                samples: 2,
                neurons: [150, 64, 9][(i + j) % 3],
            };
            let parameters = Layout::ONCE[(i + j) % Layout::ONCE.len()];
            let case = Case::new(reset, shape, Layout::Sequence, parameters, &mut random);
            check(
                &case,
                surrogate,
                &incoming(Layout::Sequence, shape, &mut random),
            );
        }
    }
}

#[test]
fn sizes_and_layouts() {
    let mut random = Random::plain(4);
    for neurons in [0, 1, 7, 8, 63, 64, 65, 100, 128, 129, 300] {
        for (samples, steps) in [(0, 5), (1, 0), (1, 1), (3, 2), (3, 17)] {
            let shape = Shape {
                steps,
                samples,
                neurons,
            };
            for (i, reset) in RESETS.into_iter().enumerate() {
                let sequence = Layout::SEQUENCE[(i + neurons) % Layout::SEQUENCE.len()];
                let parameters = Layout::ONCE[(i + steps) % Layout::ONCE.len()];
                let case = Case::new(reset, shape, sequence, parameters, &mut random);
                let incoming = incoming(sequence, shape, &mut random);
                check(&case, SURROGATES[i % 3], &incoming);
            }
        }
    }
}

/// Longer than what is recomputed at a time.
#[test]
fn long_sequences() {
    let mut random = Random::plain(5);
    for steps in [1023, 1024, 1025, 2500] {
        for reset in RESETS {
            let shape = Shape {
                steps,
                samples: 1,
                neurons: 5,
            };
            let case = Case::new(reset, shape, Layout::Sequence, Layout::Each, &mut random);
            let incoming = incoming(Layout::Sequence, shape, &mut random);
            check(&case, SURROGATES[0], &incoming);
        }
    }
}

/// No number stops the loop, and instruction sets agree on all of them.
#[test]
fn extreme_numbers() {
    let mut random = Random::with_extremes(6, 16);
    let shape = Shape {
        steps: 17,
        samples: 3,
        neurons: 100,
    };
    for &surrogate in SURROGATES {
        for reset in RESETS {
            let case = Case::new(reset, shape, Layout::Sequence, Layout::Each, &mut random);
            let incoming = incoming(Layout::Sequence, shape, &mut random);
            let expected = Found::all(Isa::Scalar, &case, surrogate, &incoming);
            for &isa in Isa::available() {
                Found::all(isa, &case, surrogate, &incoming).assert_same_bits(&expected);
            }
        }
    }
}
