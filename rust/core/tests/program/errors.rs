//! What is refused.

use crate::leaky::{adjoint, leaky};
use bitspike::Error;
use bitspike::program::{
    Compiled, Gradients, Inputs, Instruction, Op, Outputs, Program, backward, forward,
};
use bitspike::sequence::OutputGradients;
use bitspike::simd::Isa;
use bitspike::tiling::{Shape, Strided};

#[track_caller]
fn assert_refused(change: impl FnOnce(&mut Program), expected: &str) {
    let mut program = leaky();
    change(&mut program);
    let error = Compiled::new(program).expect_err("a bad program");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn bad_programs() {
    assert_refused(
        |x| x.code[2].operands = vec![0],
        "instruction 2, add, has 1 operands instead of 2",
    );
    assert_refused(
        |x| x.code[1].operands[1] = 5,
        "instruction 1, mul, reads value 5, but 5 lie in front of it",
    );
    assert_refused(
        |x| x.spikes = Some(10),
        "the value of the spikes is 10, outside 0..10",
    );
    assert_refused(
        |x| x.next = vec![99],
        "the next value of a state is 99, outside 0..10",
    );
    assert_refused(
        |x| x.outputs = vec![10],
        "the value of an output is 10, outside 0..10",
    );
    assert_refused(
        |x| x.sums = vec![10],
        "the value of a sum is 10, outside 0..10",
    );
    assert_refused(
        |x| x.next.clear(),
        "next holds 0 elements, but the sizes ask for 1",
    );
    assert_refused(
        |x| x.states = usize::MAX,
        "the sizes of values multiply to more than fits in memory",
    );
    assert!(matches!(Op::parse("fma"), Err(Error::UnknownName { .. })));
    for &op in Op::ALL {
        assert_eq!(Op::parse(op.name()), Ok(op));
    }
}

/// The error of a forward call whose inputs and outputs have been changed.
#[track_caller]
fn assert_call(change: impl FnOnce(&mut Inputs<'_>, &mut Outputs<'_>), expected: &str) {
    let current = [0.5; 6];
    let mut inputs = Inputs {
        shape: Shape {
            steps: 2,
            samples: 1,
            neurons: 3,
        },
        sequences: vec![Strided {
            data: &current,
            time: 3,
            sample: 3,
            per_neuron: true,
        }],
        initial: vec![Strided::constant(&0.0)],
        constants: vec![Strided::constant(&1.0); 2],
    };
    let mut outputs = Outputs {
        states: vec![None],
        last: vec![None],
        ..Outputs::default()
    };
    change(&mut inputs, &mut outputs);
    let compiled = Compiled::new(leaky()).expect("a good program");
    let isa = Isa::active().expect("an instruction set");
    let error = forward(isa, &compiled, &inputs, outputs).expect_err("a bad call");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn bad_calls() {
    assert_call(
        |inputs, _| inputs.sequences.clear(),
        "sequences holds 0 elements, but the sizes ask for 1",
    );
    assert_call(
        |inputs, _| inputs.shape.steps = 3,
        "a sequence holds 6 elements, but its strides reach element 8",
    );
    assert_call(
        |inputs, _| inputs.constants.truncate(1),
        "constants holds 1 elements, but the sizes ask for 2",
    );
    assert_call(
        |_, outputs| outputs.packed = Some(&mut []),
        "packed spikes holds 0 elements, but the sizes ask for 2",
    );
    assert_call(
        |_, outputs| outputs.outputs = vec![None],
        "outputs holds 1 elements, but the sizes ask for 0",
    );
}

#[test]
fn spikes_of_a_program_without_any() {
    let program = Program {
        sequences: 1,
        ..Program::default()
    };
    let compiled = Compiled::new(program).expect("a good program");
    let inputs = Inputs {
        shape: Shape {
            steps: 0,
            samples: 0,
            neurons: 0,
        },
        sequences: vec![Strided::constant(&0.0)],
        initial: Vec::new(),
        constants: Vec::new(),
    };
    let outputs = Outputs {
        dense: Some(&mut []),
        ..Outputs::default()
    };
    let isa = Isa::active().expect("an instruction set");
    assert_eq!(
        forward(isa, &compiled, &inputs, outputs),
        Err(Error::NoSpikes)
    );
}

#[test]
fn programs_that_are_no_adjoint() {
    let mut short = adjoint();
    short.code.push(Instruction {
        op: Op::Neg,
        operands: vec![0],
    });
    short.sums.pop();
    let [program, adjoint] = [leaky(), short].map(|x| Compiled::new(x).expect("a good program"));
    let inputs = Inputs {
        shape: Shape {
            steps: 1,
            samples: 1,
            neurons: 1,
        },
        sequences: vec![Strided::constant(&0.0)],
        initial: vec![Strided::constant(&0.0)],
        constants: vec![Strided::constant(&1.0); 2],
    };
    let incoming = OutputGradients {
        spikes: Strided::constant(&1.0),
        states: vec![Strided::constant(&0.0)],
        last: vec![Strided::constant(&0.0)],
    };
    let gradients = || Gradients {
        sequences: vec![None],
        initial: vec![None],
        constants: vec![None, None],
    };
    let isa = Isa::active().expect("an instruction set");
    let error = backward(isa, &program, &adjoint, &inputs, &incoming, gradients());
    let expected = "an adjoint of this program has 2 sums, not 1";
    assert_eq!(error.expect_err("no adjoint").to_string(), expected);
}
