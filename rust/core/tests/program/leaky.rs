//! A layer of leaky neurons as a program, with its adjoint written by hand.

use crate::bits::packed;
use crate::case::{Case, Incoming, assert_bits};
use crate::views::{Layout, Random, View};
use bitspike::neuron::{Mechanism, Reset};
use bitspike::program::{Instruction, Op, Program};
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence::{Gradients, Layer, Learned, OutputGradients, backward};
use bitspike::simd::Isa;
use bitspike::tiling::Shape;
use std::f32::consts::PI;

fn code<const N: usize>(code: [(Op, &[usize]); N]) -> Vec<Instruction> {
    code.into_iter()
        .map(|(op, operands)| Instruction {
            op,
            operands: operands.to_vec(),
        })
        .collect()
}

/// Values: current, membrane, decay, threshold.
pub(crate) fn leaky() -> Program {
    Program {
        sequences: 1,
        states: 1,
        constants: 2,
        code: code([
            (Op::Gt, &[1, 3]),
            (Op::Mul, &[2, 1]),
            (Op::Add, &[5, 0]),
            (Op::Mul, &[4, 3]),
            (Op::Sub, &[6, 7]),
            (Op::Gt, &[8, 3]),
        ]),
        spikes: Some(9),
        next: vec![8],
        ..Program::default()
    }
}

/// Values: current, membrane before, gradients of spikes and of the membrane after; what comes from
/// later steps; decay, threshold; π, 1. The surrogate is `1 / (1 + (π·x)²)`.
pub(crate) fn adjoint() -> Program {
    Program {
        sequences: 4,
        states: 1,
        constants: 2,
        immediates: vec![PI, 1.0],
        code: code([
            (Op::Gt, &[1, 6]),
            (Op::Mul, &[5, 1]),
            (Op::Add, &[10, 0]),
            (Op::Mul, &[9, 6]),
            (Op::Sub, &[11, 12]),
            (Op::Sub, &[13, 6]),
            (Op::Mul, &[14, 7]),
            (Op::Mul, &[15, 15]),
            (Op::Add, &[16, 8]),
            (Op::Reciprocal, &[17]),
            (Op::Mul, &[2, 18]),
            (Op::Add, &[3, 4]),
            (Op::Add, &[20, 19]),
            (Op::Mul, &[5, 21]),
            (Op::Mul, &[21, 1]),
            (Op::Mul, &[9, 21]),
            (Op::Add, &[19, 24]),
            (Op::Neg, &[25]),
        ]),
        outputs: vec![21],
        next: vec![22],
        sums: vec![23, 26],
        ..Program::default()
    }
}

/// Inputs, some neurons of which fire.
fn case(shape: Shape, seed: u64) -> Case {
    let random = &mut Random(seed);
    let once = Shape { steps: 1, ..shape };
    Case {
        program: leaky(),
        shape,
        sequences: vec![View::new(Layout::Sequence, shape, || {
            random.uniform(-0.5, 1.2)
        })],
        initial: vec![View::new(Layout::Each, once, || random.uniform(-1.0, 2.0))],
        constants: vec![
            View::new(Layout::Neuron, once, || random.uniform(0.5, 1.0)),
            View::new(Layout::One, once, || 1.0),
        ],
    }
}

#[test]
fn a_trace_by_hand() {
    let shape = Shape {
        steps: 4,
        samples: 1,
        neurons: 1,
    };
    let of = |layout, shape, value| View::new(layout, shape, || value);
    let once = Shape { steps: 1, ..shape };
    let case = Case {
        program: leaky(),
        shape,
        sequences: vec![of(Layout::Sequence, shape, 0.75)],
        initial: vec![of(Layout::One, once, 0.0)],
        constants: vec![of(Layout::One, once, 0.5), of(Layout::One, once, 1.0)],
    };
    for &isa in Isa::available() {
        let results = case.forward(isa);
        assert_eq!(results.states[0], [0.75, 1.125, 0.3125, 0.906_25]);
        assert_eq!(results.packed, [0, 1, 0, 0]);
        assert_eq!(results.dense, [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(results.last[0], [0.906_25]);
    }
}

#[test]
fn gradients_are_those_of_the_layer() {
    // The last one has chunks of steps.
    for (seed, sizes) in [
        [0, 2, 3],
        [1, 1, 1],
        [25, 3, 70],
        [9, 2, 512],
        [1200, 1, 520],
    ]
    .into_iter()
    .enumerate()
    {
        let [steps, samples, neurons] = sizes;
        let shape = Shape {
            steps,
            samples,
            neurons,
        };
        let case = case(shape, seed as u64);
        let random = &mut Random(99);
        let layouts = [Layout::Sequence, Layout::Each];
        let incoming = Incoming::new(layouts, shape, 1, || random.uniform(-1.0, 1.0));
        for &isa in Isa::available() {
            assert_layer(isa, &case, &incoming);
        }
    }
}

fn assert_layer(isa: Isa, case: &Case, incoming: &Incoming) {
    let Shape {
        steps,
        samples,
        neurons,
    } = case.shape;
    let (row, one) = (
        samples * neurons,
        View::new(Layout::One, case.shape, || 1.0),
    );
    let layer = Layer {
        neuron: NeuronKind::Leaky,
        reset: Reset {
            mechanism: Mechanism::Subtract,
            immediate: false,
        },
        shape: case.shape,
        current: case.sequences[0].strided(),
        parameters: vec![case.constants[0].strided()],
        threshold: case.constants[1].strided(),
        graded_factor: one.strided(),
        initial: vec![case.initial[0].strided()],
    };
    let of_outputs = OutputGradients {
        spikes: incoming.spikes.strided(),
        states: vec![incoming.states[0].strided()],
        last: vec![incoming.last[0].strided()],
    };
    let (mut current, mut initial) = (vec![0.0; steps * row], vec![0.0; row]);
    let (mut decay, mut threshold) = (vec![0.0; neurons], [0.0]);
    let gradients = Gradients {
        current: Some(&mut current),
        initial: vec![Some(&mut initial)],
        learned: Some(Learned {
            parameters: vec![&mut decay],
            threshold: &mut threshold,
            graded_factor: None,
        }),
    };
    let surrogate = AnySurrogate::new("atan", &[2.0]).expect("a surrogate");
    backward(isa, &layer, surrogate, &of_outputs, gradients).expect("buffers fit");
    let found = case.backward(isa, &adjoint(), incoming);
    let expected = [
        vec![current],
        vec![initial],
        vec![decay, threshold.to_vec()],
    ];
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        let largest = expected
            .iter()
            .fold(1.0f32, |largest, x| largest.max(x.abs()));
        for (i, (a, b)) in found.iter().zip(expected).enumerate() {
            assert!(
                (a - b).abs() <= 2e-5 * largest,
                "{isa:?}: {a} at {i}, not {b}"
            );
        }
    }
}

#[test]
fn spikes_are_those_of_the_layer() {
    let shape = Shape {
        steps: 30,
        samples: 3,
        neurons: 130,
    };
    let (case, one) = (case(shape, 5), View::new(Layout::One, shape, || 1.0));
    for &isa in Isa::available() {
        let results = case.forward(isa);
        let layer = Layer {
            neuron: NeuronKind::Leaky,
            reset: Reset {
                mechanism: Mechanism::Subtract,
                immediate: false,
            },
            shape,
            current: case.sequences[0].strided(),
            parameters: vec![case.constants[0].strided()],
            threshold: case.constants[1].strided(),
            graded_factor: one.strided(),
            initial: vec![case.initial[0].strided()],
        };
        let (mut spikes, mut membrane) = (results.packed.clone(), results.states[0].clone());
        spikes.fill(0);
        membrane.fill(0.0);
        let outputs = bitspike::sequence::Outputs {
            packed: Some(&mut spikes),
            states: vec![Some(&mut membrane)],
            last: vec![None],
            ..Default::default()
        };
        bitspike::sequence::forward(isa, &layer, outputs).expect("buffers fit");
        assert_eq!(results.packed, spikes);
        assert_bits(&results.states[0], &membrane, "membranes");
        let fired = results.dense.iter().map(|x| *x == 1.0).collect::<Vec<_>>();
        assert!(fired.contains(&true) && fired.contains(&false));
        assert_eq!(packed(&fired, 90, 130), spikes);
    }
}
