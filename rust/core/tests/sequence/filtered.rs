//! Errors: few under a compact surrogate, and filtered they are the gradient of the current.

use crate::backward::{Found, incoming};
use crate::case::{Case, Random};
use crate::surrogate::{Formula, SURROGATES};
use crate::views::{Layout, View};
use crate::{RESETS, assert_same_bits, delayed};
use bitspike::Error;
use bitspike::neuron::Mechanism;
use bitspike::registry::NeuronKind;
use bitspike::sequence::{Errors, Gradients, Layer, backward_with_errors};
use bitspike::simd::Isa;
use bitspike::spikes::layout::{padding_is_zero, words};
use bitspike::tiling::{Shape, Strided};

/// What is written, with room for it.
struct Written {
    active: Vec<u64>,
    values: Vec<f32>,
    current: Vec<f32>,
}

impl Written {
    fn by(isa: Isa, layer: &Layer<'_>, surrogate: Formula<'_>, spikes: &View) -> (Self, f32) {
        let Shape {
            steps,
            samples,
            neurons,
        } = layer.shape;
        let len = steps * samples * words(neurons);
        let mut written = Self {
            active: vec![u64::MAX; len],
            values: vec![f32::NAN; 64 * len],
            current: vec![f32::NAN; steps * samples * neurons],
        };
        let errors = Errors {
            active: &mut written.active,
            values: &mut written.values,
        };
        let gradients = Gradients {
            current: Some(&mut written.current),
            initial: vec![None],
            learned: None,
        };
        let (surrogate, spikes) = (surrogate.surrogate(), spikes.strided());
        let decay = backward_with_errors(isa, layer, surrogate, spikes, gradients, errors);
        (written, decay.expect("it decays"))
    }

    /// The errors as `[T, B, N]`.
    fn dense(&self, shape: Shape) -> Vec<f32> {
        let row = words(shape.neurons);
        let rows = shape.steps * shape.samples;
        assert_eq!(padding_is_zero(&self.active, rows, shape.neurons), Ok(true));
        let mut dense = vec![0.0; rows * shape.neurons];
        let mut ends = vec![0; row * shape.samples];
        for (i, &word) in self.active.iter().enumerate().rev() {
            let (r, w) = (i / row, i % row);
            let stream = i % (row * shape.samples);
            // Steps come from the last to the first, samples and words beside each other.
            for bit in (0..64).filter(|bit| word >> bit & 1 == 1) {
                let value = self.values[stream * 64 * shape.steps + ends[stream]];
                ends[stream] += 1;
                assert!(value != 0.0);
                dense[r * shape.neurons + w * 64 + bit] = value;
            }
        }
        dense
    }
}

fn compact() -> impl Iterator<Item = Formula<'static>> {
    let all = SURROGATES.iter().copied();
    all.filter(|surrogate| surrogate.surrogate().is_compact())
}

/// Checks the errors against the gradient of the current, which others check against the formulas.
fn check(case: &Case, surrogate: Formula<'_>, spikes: &View) {
    let (shape, layer) = (case.shape, case.layer());
    let (scalar, decay) = Written::by(Isa::Scalar, &layer, surrogate, spikes);
    let errors = scalar.dense(shape);
    let row = case.row_len();
    let mut filtered = errors.clone();
    for i in (0..filtered.len().saturating_sub(row)).rev() {
        filtered[i] = decay * filtered[i + row] + errors[i];
    }
    // A sum of zeros may be -0.
    let plain = |x: &[f32]| x.iter().map(|x| x + 0.0).collect::<Vec<_>>();
    assert_same_bits("current", &plain(&scalar.current), &plain(&filtered));
    for &isa in Isa::available() {
        let (found, _) = Written::by(isa, &layer, surrogate, spikes);
        assert_same_bits("current", &found.current, &scalar.current);
        assert_eq!(found.active, scalar.active);
        assert_same_bits("errors", &found.dense(shape), &errors);
    }
}

#[test]
fn filtered_errors_are_the_gradient_of_the_current() {
    let mut random = Random::plain(21);
    for neurons in [0, 1, 8, 63, 64, 65, 128, 200, 300] {
        for (samples, steps) in [(0, 5), (1, 0), (1, 1), (3, 2), (3, 17)] {
            for reset in RESETS {
                if reset.mechanism == Mechanism::Zero {
                    continue;
                }
                let shape = Shape {
                    steps,
                    samples,
                    neurons,
                };
                let sequence = Layout::SEQUENCE[neurons % Layout::SEQUENCE.len()];
                let case = Case::new(reset, shape, sequence, Layout::One, &mut random);
                let incoming = incoming(sequence, shape, &mut random);
                for surrogate in compact() {
                    check(&case, surrogate, &incoming.spikes);
                }
            }
        }
    }
}

/// Longer than what is recomputed at a time, with numbers that are infinite or NaN among others.
#[test]
fn long_and_extreme_sequences() {
    for extreme in [0, 16] {
        let mut random = Random::with_extremes(22, extreme);
        let shape = Shape {
            steps: 1500,
            samples: 2,
            neurons: 70,
        };
        let reset = delayed(Mechanism::Subtract);
        let mut case = Case::new(reset, shape, Layout::Sequence, Layout::One, &mut random);
        case.beta.data = vec![0.75];
        let incoming = incoming(Layout::Sequence, shape, &mut random);
        compact().for_each(|surrogate| check(&case, surrogate, &incoming.spikes));
    }
}

#[test]
fn a_narrow_window_leaves_few_errors() {
    let mut random = Random::plain(23);
    let shape = Shape {
        steps: 40,
        samples: 2,
        neurons: 200,
    };
    let reset = delayed(Mechanism::Subtract);
    let case = Case::new(reset, shape, Layout::Sequence, Layout::One, &mut random);
    let incoming = incoming(Layout::Sequence, shape, &mut random);
    let active = |width: f32| {
        let boxcar = Formula {
            name: "boxcar",
            parameters: &[width],
        };
        let (written, _) = Written::by(Isa::Scalar, &case.layer(), boxcar, &incoming.spikes);
        written
            .active
            .iter()
            .map(|word| word.count_ones())
            .sum::<u32>()
    };
    assert!(active(0.05) < 16_000 / 10, "{}", active(0.05));
    assert_eq!([active(0.0), active(1e9)], [0, 16_000]);
}

/// The gain of a neuron is part of its error.
#[test]
fn other_neurons_scale_the_error() {
    for kind in [NeuronKind::Plif, NeuronKind::Lapicque] {
        let parameters: &[f32] = match kind {
            NeuronKind::Plif => &[0.75],
            _ => &[2.0, 0.5, 0.25, 0.75],
        };
        let zero = Strided::constant(&0.0);
        let layer = Layer {
            neuron: kind,
            reset: delayed(Mechanism::Subtract),
            shape: Shape {
                steps: 3,
                samples: 1,
                neurons: 1,
            },
            current: zero,
            parameters: parameters.iter().map(Strided::constant).collect(),
            threshold: Strided::constant(&1.0),
            graded_factor: Strided::constant(&1.0),
            initial: vec![zero],
        };
        let spikes = View::new(Layout::One, layer.shape, || 4.0);
        let boxcar = Formula {
            name: "boxcar",
            parameters: &[2.0],
        };
        let (written, decay) = Written::by(Isa::Scalar, &layer, boxcar, &spikes);
        // A slope of 1/4 and a gain of 1/4.
        assert_eq!((written.dense(layer.shape), decay), (vec![0.25; 3], 0.75));
        assert_eq!(written.current, [0.578125, 0.4375, 0.25]);
    }
}

#[test]
fn what_is_no_filtered_error_is_refused() {
    let mut random = Random::plain(24);
    let shape = Shape {
        steps: 3,
        samples: 2,
        neurons: 5,
    };
    let reset = delayed(Mechanism::Subtract);
    let decay = |reset, parameters, random: &mut Random| {
        let case = Case::new(reset, shape, Layout::Sequence, parameters, random);
        case.layer().decay().is_some()
    };
    assert!(decay(reset, Layout::One, &mut random));
    for parameters in [Layout::Neuron, Layout::Sample, Layout::Each] {
        assert!(!decay(reset, parameters, &mut random));
    }
    assert!(!decay(delayed(Mechanism::Zero), Layout::One, &mut random));

    let zero = Strided::constant(&0.0);
    let layer = Layer {
        neuron: NeuronKind::Synaptic,
        reset,
        shape,
        current: zero,
        parameters: vec![zero; 2],
        threshold: zero,
        graded_factor: zero,
        initial: vec![zero; 2],
    };
    let run = |layer: &Layer<'_>, active: &mut [u64], values: &mut [f32]| {
        let gradients = Gradients {
            initial: layer.initial.iter().map(|_| None).collect(),
            ..Gradients::default()
        };
        let surrogate = SURROGATES[0].surrogate();
        let errors = Errors { active, values };
        backward_with_errors(Isa::Scalar, layer, surrogate, zero, gradients, errors)
    };
    let neuron = "synaptic";
    let refused = run(&layer, &mut [0; 6], &mut [0.0; 384]);
    assert_eq!(refused, Err(Error::NotFiltered { neuron }));
    let leaky = Layer {
        neuron: NeuronKind::Leaky,
        parameters: vec![zero],
        initial: vec![zero],
        ..layer
    };
    let length = |what, found, expected| {
        Err(Error::Length {
            what,
            found,
            expected,
        })
    };
    let refused = run(&leaky, &mut [0; 5], &mut [0.0; 384]);
    assert_eq!(refused, length("active", 5, 6));
    let refused = run(&leaky, &mut [0; 6], &mut [0.0; 383]);
    assert_eq!(refused, length("values", 383, 384));
}

/// With and without errors, gradients have the same bits.
#[test]
fn errors_change_no_gradient() {
    let mut random = Random::plain(25);
    for neurons in [10, 128] {
        let shape = Shape {
            steps: 20,
            samples: 3,
            neurons,
        };
        let reset = delayed(Mechanism::Subtract);
        let case = Case::new(reset, shape, Layout::Sequence, Layout::One, &mut random);
        let mut incoming = incoming(Layout::Sequence, shape, &mut random);
        incoming.membrane = View::new(Layout::One, shape, || 0.0);
        incoming.last = View::new(Layout::One, shape, || 0.0);
        for surrogate in compact() {
            let plain = Found::all(Isa::Scalar, &case, surrogate, &incoming);
            let layer = case.layer();
            let (written, _) = Written::by(Isa::Scalar, &layer, surrogate, &incoming.spikes);
            assert_same_bits("current", &written.current, &plain.current);
        }
    }
}
