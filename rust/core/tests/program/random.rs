//! Random programs against the interpreter, on every instruction set, by one thread and by several.

use crate::case::{Case, Found, Incoming, assert_bits};
use crate::threads::on_threads;
use crate::views::{Layout, Random, View};
use bitspike::program::{Instruction, Op, Program};
use bitspike::simd::Isa;
use bitspike::tiling::Shape;
use proptest::prelude::*;

/// Numbers, among them those at which floats behave unusually.
fn number(random: &mut Random) -> f32 {
    match random.word() % 24 {
        0 => 0.0,
        1 => -0.0,
        2 => f32::INFINITY,
        3 => f32::NAN,
        4 => 1.0,
        5 => f32::from_bits(77),
        _ => random.uniform(-2.0, 2.0),
    }
}

/// A program of so many sequences, states and constants.
fn program(random: &mut Random, sizes: [usize; 3], exact: bool) -> Program {
    let [sequences, states, constants] = sizes;
    let immediates: Vec<_> = (0..random.word() % 4).map(|_| number(random)).collect();
    let mut values = sequences + states + constants + immediates.len();
    let mut code = Vec::new();
    for _ in 0..random.word() % 24 {
        let op = Op::ALL[random.word() as usize % Op::ALL.len()];
        // Products, which may be fused, more often than others.
        let op = if random.word().is_multiple_of(3) {
            Op::Mul
        } else {
            op
        };
        if exact && (Op::Exp as u8..=Op::Erf as u8).contains(&(op as u8)) {
            continue;
        }
        let operands = (0..op.arity())
            .map(|_| random.word() as usize % values)
            .collect();
        code.push(Instruction { op, operands });
        values += 1;
    }
    // Late values more often than others.
    let mut value =
        || values - 1 - (random.word() as usize % values).min(random.word() as usize % values);
    let outputs = (0..2).map(|_| value()).collect();
    Program {
        sequences,
        states,
        constants,
        next: (0..states).map(|_| value()).collect(),
        spikes: (value() % 5 != 0).then(&mut value),
        sums: (0..2).map(|_| value()).collect(),
        outputs,
        immediates,
        code,
    }
}

/// A program of random sizes and random inputs.
fn case(shape: Shape, seed: u64, exact: bool) -> Case {
    let random = &mut Random(seed);
    let sizes = [
        1 + random.word() as usize % 2,
        random.word() as usize % 3,
        random.word() as usize % 3,
    ];
    let program = program(random, sizes, exact);
    let once = Shape { steps: 1, ..shape };
    let mut views = |count: usize, layouts: &[Layout], shape| -> Vec<View> {
        let layout = |random: &mut Random| layouts[random.word() as usize % layouts.len()];
        (0..count)
            .map(|_| View::new(layout(random), shape, || number(random)))
            .collect()
    };
    Case {
        sequences: views(sizes[0], &Layout::SEQUENCE, shape),
        initial: views(sizes[1], &Layout::ONCE, once),
        constants: views(sizes[2], &Layout::ONCE, once),
        program,
        shape,
    }
}

/// An adjoint of a case's program, as random as that, and gradients.
fn adjoint(case: &Case, seed: u64) -> (Program, Incoming) {
    let random = &mut Random(seed);
    let Program {
        sequences,
        states,
        constants,
        ..
    } = case.program;
    let mut adjoint = program(
        random,
        [sequences + 2 * states + 1, states, constants],
        true,
    );
    let inputs = sequences + 3 * states + 1 + constants + adjoint.immediates.len();
    let values = inputs + adjoint.code.len();
    let mut value = || random.word() as usize % values;
    adjoint.outputs = (0..sequences).map(|_| value()).collect();
    adjoint.sums = (0..constants).map(|_| value()).collect();
    let layouts = [
        Layout::SEQUENCE[value() % Layout::SEQUENCE.len()],
        Layout::ONCE[value() % Layout::ONCE.len()],
    ];
    let fill = || number(random);
    (adjoint, Incoming::new(layouts, case.shape, states, fill))
}

#[track_caller]
fn assert_found(found: &Found, expected: &Found, what: &str) {
    for (name, (found, expected)) in ["sequence", "initial", "constant"]
        .iter()
        .zip(found.iter().zip(expected))
    {
        for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_bits(found, expected, &format!("{what}: gradient of {name} {k}"));
        }
    }
}

fn assert_runs(shape: Shape, seed: u64, threads: usize) {
    let case = case(shape, seed, true);
    let (adjoint, incoming) = adjoint(&case, seed ^ 1);
    let (expected, gradients) = (case.expected(), case.expected_backward(&adjoint, &incoming));
    on_threads(threads);
    for &isa in Isa::available() {
        let what = format!("{isa:?}, {threads} threads, {shape:?}, {:?}", case.program);
        case.forward(isa).assert_is(&expected, &case.program, &what);
        assert_found(&case.backward(isa, &adjoint, &incoming), &gradients, &what);
    }
}

/// Widths with and without a rest, narrow ones whose samples are joined, wide ones of several tiles.
fn shapes() -> impl Strategy<Value = Shape> {
    let neurons = prop_oneof![
        Just(1usize),
        Just(63),
        Just(64),
        Just(65),
        Just(128),
        Just(257),
        0usize..140,
        Just(1100)
    ];
    (0usize..6, 0usize..4, neurons).prop_map(|(steps, samples, neurons)| Shape {
        steps,
        samples,
        neurons,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn programs_do_what_they_say(shape in shapes(), seed: u64, threads in 1usize..5) {
        assert_runs(shape, seed, threads);
    }

    #[test]
    fn all_functions_are_the_same_everywhere(shape in shapes(), seed: u64) {
        let case = case(shape, seed, false);
        let expected = case.forward(Isa::Scalar);
        for &isa in Isa::available() {
            case.forward(isa).assert_is(&expected, &case.program, &format!("{isa:?}"));
        }
    }
}

#[test]
fn several_chunks_and_threads() {
    for seed in 0..6 {
        // Long enough for three chunks of the widest tiles, with work for several threads.
        let shape = Shape {
            steps: 700,
            samples: 1,
            neurons: 600,
        };
        assert_runs(shape, seed, 3);
    }
}
