//! Calls of any length, on inputs that take little memory.

use bitspike::matmul::{FilteredErrors, Matrix, input_gradient, product, weight_gradient};
use bitspike::neuron::Reset;
use bitspike::program::{self, Compiled, Instruction, Op, Program};
use bitspike::recurrent::{self, Connection};
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence::{Gradients, Layer, OutputGradients, Outputs, backward, forward};
use bitspike::simd::Isa;
use bitspike::spikes::{Stream, bernoulli};
use bitspike::tiling::{Shape, Strided};

/// A layer under a constant current, which takes no memory however long it is.
fn layer(neuron: NeuronKind, steps: usize) -> Layer<'static> {
    let once = |_: &_| Strided::constant(&0.5);
    Layer {
        neuron,
        reset: Reset {
            mechanism: neuron.resets()[0],
            immediate: false,
        },
        shape: Shape {
            steps,
            samples: 2,
            neurons: 300,
        },
        current: Strided::constant(&0.75),
        parameters: neuron.parameters().iter().map(once).collect(),
        threshold: Strided::constant(&1.0),
        graded_factor: Strided::constant(&1.0),
        initial: neuron.states().iter().map(once).collect(),
    }
}

pub(crate) fn run(neuron: NeuronKind, steps: usize) -> Vec<u32> {
    let layer = layer(neuron, steps);
    let mut last = vec![vec![0.0; 600]; layer.initial.len()];
    let outputs = Outputs {
        states: layer.initial.iter().map(|_| None).collect(),
        last: last.iter_mut().map(|last| Some(&mut last[..])).collect(),
        ..Outputs::default()
    };
    forward(isa(), &layer, outputs).expect("lengths fit");
    bits(&last.concat())
}

pub(crate) fn through_time(neuron: NeuronKind, steps: usize) -> Vec<u32> {
    let layer = layer(neuron, steps);
    let constant = |_: &_| Strided::constant(&1.0);
    let incoming = OutputGradients {
        spikes: Strided::constant(&1.0),
        states: layer.initial.iter().map(constant).collect(),
        last: layer.initial.iter().map(constant).collect(),
    };
    let mut initial = vec![vec![0.0; 600]; layer.initial.len()];
    let gradients = Gradients {
        initial: initial.iter_mut().map(|out| Some(&mut out[..])).collect(),
        ..Gradients::default()
    };
    let surrogate = AnySurrogate::new("atan", &[2.0]).expect("exists");
    backward(isa(), &layer, surrogate, &incoming, gradients).expect("lengths fit");
    bits(&initial.concat())
}

/// A leaky integrator as a program, both ways.
pub(crate) fn program(steps: usize) -> Vec<u32> {
    let step = |op, operands: &[usize]| Instruction {
        op,
        operands: operands.to_vec(),
    };
    let integrator = Program {
        sequences: 1,
        states: 1,
        constants: 1,
        code: vec![step(Op::Mul, &[1, 2]), step(Op::Add, &[3, 0])],
        next: vec![4],
        ..Program::default()
    };
    let adjoint = Program {
        sequences: 4,
        states: 1,
        constants: 1,
        code: vec![step(Op::Add, &[3, 4]), step(Op::Mul, &[6, 5])],
        outputs: vec![6],
        next: vec![7],
        sums: vec![6],
        ..Program::default()
    };
    let [integrator, adjoint] = [integrator, adjoint].map(|x| Compiled::new(x).expect("is good"));
    let inputs = program::Inputs {
        shape: layer(NeuronKind::Leaky, steps).shape,
        sequences: vec![Strided::constant(&0.75)],
        initial: vec![Strided::constant(&0.5)],
        constants: vec![Strided::constant(&0.5)],
    };
    let mut last = vec![0.0; 600];
    let outputs = program::Outputs {
        states: vec![None],
        last: vec![Some(&mut last)],
        ..program::Outputs::default()
    };
    program::forward(isa(), &integrator, &inputs, outputs).expect("lengths fit");
    let incoming = OutputGradients {
        spikes: Strided::constant(&1.0),
        states: vec![Strided::constant(&1.0)],
        last: vec![Strided::constant(&1.0)],
    };
    let mut initial = vec![0.0; 600];
    let gradients = program::Gradients {
        sequences: vec![None],
        initial: vec![Some(&mut initial)],
        constants: vec![None],
    };
    program::backward(isa(), &integrator, &adjoint, &inputs, &incoming, gradients)
        .expect("lengths fit");
    bits(&[last, initial].concat())
}

pub(crate) fn fed_back(steps: usize) -> Vec<u32> {
    let layer = recurrent::Layer {
        neurons: layer(NeuronKind::Leaky, steps),
        connection: Connection::Dense {
            weight: Matrix::new("weight", &[0.01], [300, 300], [0, 0]).expect("fits"),
            bias: None,
        },
        first: Strided::constant(&0.0),
    };
    let mut last = vec![0.0; 600];
    let outputs = recurrent::Outputs {
        states: vec![None],
        last: vec![Some(&mut last)],
        ..recurrent::Outputs::default()
    };
    recurrent::forward(isa(), &layer, outputs).expect("lengths fit");
    bits(&last)
}

/// Rows in which all inputs are active, by weights that are all the same, both ways.
pub(crate) fn products(rows: usize, outputs: usize) -> Vec<u32> {
    const INPUTS: usize = 2048;
    let spikes = vec![u64::MAX; rows * INPUTS / 64];
    let weights = Matrix::new("weights", &[0.5], [INPUTS, outputs], [0, 0]).expect("fits");
    let mut out = vec![0.0; rows * outputs];
    product(isa(), &spikes, rows, weights, None, &mut out).expect("lengths fit");
    bits(&out)
}

pub(crate) fn weight_gradients(rows: usize, outputs: usize) -> Vec<u32> {
    const INPUTS: usize = 2048;
    let spikes = vec![u64::MAX; rows * INPUTS / 64];
    let grad = Matrix::new("grad", &[0.5], [rows, outputs], [0, 0]).expect("fits");
    let mut out = vec![0.0; INPUTS * outputs];
    weight_gradient(isa(), &spikes, INPUTS, grad, &mut out, None).expect("lengths fit");
    bits(&out)
}

/// Errors of all neurons at all steps.
pub(crate) fn input_gradients(steps: usize, inputs: usize) -> Vec<u32> {
    const NEURONS: usize = 2048;
    let errors = FilteredErrors {
        shape: Shape {
            steps,
            samples: 1,
            neurons: NEURONS,
        },
        active: &vec![u64::MAX; steps * NEURONS / 64],
        values: &vec![0.5; steps * NEURONS],
        decay: 0.5,
    };
    let weights = Matrix::new("weights", &[0.5], [NEURONS, inputs], [0, 0]).expect("fits");
    let mut out = vec![0.0; steps * inputs];
    input_gradient(isa(), errors, weights, &mut out).expect("lengths fit");
    bits(&out)
}

pub(crate) fn draws(rows: usize) -> Vec<u64> {
    let mut words = vec![0; rows];
    let stream = Stream { seed: 1, first: 0 };
    bernoulli(isa(), stream, &[0.5; 64], 1, rows, 64, &mut words).expect("lengths fit");
    words
}

/// Comparable, even where they are NaN.
fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

fn isa() -> Isa {
    Isa::active().expect("exists")
}
