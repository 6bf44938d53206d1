//! Calls that are ended before they are done.

use bitspike::matmul::{FilteredErrors, Matrix, input_gradient, product, weight_gradient};
use bitspike::neuron::Reset;
use bitspike::parallel::{Interrupted, interruptible};
use bitspike::program::{self, Compiled, Instruction, Op, Program};
use bitspike::recurrent::{self, Connection};
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence::{Gradients, Layer, OutputGradients, Outputs, backward, forward};
use bitspike::simd::Isa;
use bitspike::spikes::{Stream, bernoulli};
use bitspike::tiling::{Shape, Strided};
use std::cell::Cell;
use std::time::{Duration, Instant};

#[path = "common/threads.rs"]
mod threads;
use threads::on_threads;

thread_local! {
    /// How often this thread was asked whether to stop.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn ask() -> usize {
    ASKED.replace(ASKED.get() + 1)
}

/// Goes on twice.
fn at_the_third_time() -> bool {
    ask() == 2
}

fn never() -> bool {
    ask();
    false
}

/// Uses, in between, memory that the thread keeps for its calls.
fn at_the_second_time_after_other_calls() -> bool {
    through_time(NeuronKind::Leaky, 10);
    products(10, 100);
    ask() == 1
}

/// Runs `body`, which would take minutes.
#[track_caller]
fn assert_ends(should_stop: fn() -> bool, body: impl FnOnce()) {
    ASKED.set(0);
    let start = Instant::now();
    assert_eq!(interruptible(should_stop, body), Err(Interrupted));
    assert!(ASKED.get() > 0);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "took {:?}",
        start.elapsed()
    );
}

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

fn run(neuron: NeuronKind, steps: usize) -> Vec<u32> {
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

fn through_time(neuron: NeuronKind, steps: usize) -> Vec<u32> {
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
fn program(steps: usize) -> Vec<u32> {
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

fn fed_back(steps: usize) -> Vec<u32> {
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
fn products(rows: usize, outputs: usize) -> Vec<u32> {
    const INPUTS: usize = 2048;
    let spikes = vec![u64::MAX; rows * INPUTS / 64];
    let weights = Matrix::new("weights", &[0.5], [INPUTS, outputs], [0, 0]).expect("fits");
    let mut out = vec![0.0; rows * outputs];
    product(isa(), &spikes, rows, weights, None, &mut out).expect("lengths fit");
    bits(&out)
}

fn weight_gradients(rows: usize, outputs: usize) -> Vec<u32> {
    const INPUTS: usize = 2048;
    let spikes = vec![u64::MAX; rows * INPUTS / 64];
    let grad = Matrix::new("grad", &[0.5], [rows, outputs], [0, 0]).expect("fits");
    let mut out = vec![0.0; INPUTS * outputs];
    weight_gradient(isa(), &spikes, INPUTS, grad, &mut out, None).expect("lengths fit");
    bits(&out)
}

/// Errors of all neurons at all steps.
fn input_gradients(steps: usize, inputs: usize) -> Vec<u32> {
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

fn draws(rows: usize) -> Vec<u64> {
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

/// Ends a large call on one and on several threads; a small one returns the same before and after.
#[track_caller]
fn assert_can_be_ended<R: PartialEq + std::fmt::Debug>(small: impl Fn() -> R, large: impl Fn()) {
    for threads in [1, 3] {
        on_threads(threads);
        let before = small();
        assert_ends(at_the_third_time, &large);
        assert_eq!(small(), before);
    }
}

const MANY: usize = 1 << 33;

#[test]
fn forward_ends() {
    let neuron = NeuronKind::Leaky;
    assert_can_be_ended(|| run(neuron, 100), || drop(run(neuron, MANY)));
}

#[test]
fn backward_ends() {
    // So long that it takes minutes, so short that what it saves on its way fits memory.
    let neuron = NeuronKind::HodgkinHuxley;
    let large = || drop(through_time(neuron, 20_000_000));
    assert_can_be_ended(|| through_time(neuron, 100), large);
}

#[test]
fn recurrent_layers_end() {
    assert_can_be_ended(|| fed_back(100), || drop(fed_back(MANY)));
}

#[test]
fn programs_end() {
    assert_can_be_ended(|| program(100), || drop(program(MANY)));
}

#[test]
fn products_end() {
    assert_can_be_ended(|| products(20, 70), || drop(products(50_000, 2048)));
}

#[test]
fn weight_gradients_end() {
    let large = || drop(weight_gradients(100_000, 2048));
    assert_can_be_ended(|| weight_gradients(100, 70), large);
}

#[test]
fn input_gradients_end() {
    let large = || drop(input_gradients(10_000, 8192));
    assert_can_be_ended(|| input_gradients(20, 70), large);
}

#[test]
fn draws_end() {
    assert_can_be_ended(|| draws(100), || drop(draws(1 << 27)));
}

#[test]
fn the_answer_may_come_from_other_calls() {
    for threads in [1, 3] {
        on_threads(threads);
        let stop = at_the_second_time_after_other_calls;
        assert_ends(stop, || drop(run(NeuronKind::Leaky, MANY)));
        assert_ends(stop, || {
            drop(through_time(NeuronKind::HodgkinHuxley, 20_000_000))
        });
        assert_ends(stop, || drop(products(50_000, 2048)));
    }
}

#[test]
fn small_calls_do_not_ask() {
    on_threads(2);
    ASKED.set(0);
    assert!(interruptible(never, || run(NeuronKind::Leaky, 100)).is_ok());
    assert_eq!(ASKED.get(), 0);
}

#[test]
fn calls_do_not_end_each_other() {
    on_threads(3);
    let (alone, steps) = (run(NeuronKind::Leaky, 1_000_000), 1_000_000);
    std::thread::scope(|scope| {
        let other = scope.spawn(move || {
            on_threads(3);
            interruptible(never, || run(NeuronKind::Leaky, steps))
        });
        let mut ended = 0;
        while !other.is_finished() {
            assert_ends(at_the_third_time, || drop(run(NeuronKind::Leaky, MANY)));
            ended += 1;
        }
        assert_eq!(other.join().expect("no panic"), Ok(alone));
        assert!(ended > 0);
    });
}

#[test]
fn other_panics_pass() {
    on_threads(1);
    let panicking = || interruptible(never, || panic!("a bug"));
    let payload = std::panic::catch_unwind(panicking).expect_err("it panics");
    assert_eq!(payload.downcast_ref(), Some(&"a bug"));
}
