//! A program, one neuron and one step at a time.

use bitspike::program::{Op, Program};

/// What a program gives for one neuron: spikes and outputs per step, states after each step, sums.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) spikes: Vec<f32>,
    pub(crate) outputs: Vec<Vec<f32>>,
    pub(crate) states: Vec<Vec<f32>>,
    pub(crate) sums: Vec<f32>,
}

/// Runs steps, in the order in which `sequences` gives them.
pub(crate) fn run(
    program: &Program,
    sequences: impl Iterator<Item = Vec<f32>>,
    initial: &[f32],
    constants: &[f32],
) -> Trace {
    let mut states = initial.to_vec();
    let mut trace = Trace {
        sums: vec![0.0; program.sums.len()],
        ..Trace::default()
    };
    for sequences in sequences {
        let mut values = sequences;
        values.extend(&states);
        values.extend(constants);
        values.extend(&program.immediates);
        for instruction in &program.code {
            let operand = |k: usize| values[instruction.operands[k]];
            let operands = (0..instruction.operands.len())
                .map(operand)
                .collect::<Vec<_>>();
            values.push(evaluate(instruction.op, &operands));
        }
        trace.spikes.extend(program.spikes.map(|x| values[x]));
        trace
            .outputs
            .push(program.outputs.iter().map(|&x| values[x]).collect());
        states = program.next.iter().map(|&x| values[x]).collect();
        trace.states.push(states.clone());
        for (sum, &x) in trace.sums.iter_mut().zip(&program.sums) {
            *sum += values[x];
        }
    }
    trace
}

fn truth(x: bool) -> f32 {
    if x { 1.0 } else { 0.0 }
}

/// One operation of numbers.
pub(crate) fn evaluate(op: Op, x: &[f32]) -> f32 {
    let double = |f: fn(f64) -> f64| f(f64::from(x[0])) as f32;
    match (op, x) {
        (Op::Add, &[a, b]) => a + b,
        (Op::Sub, &[a, b]) => a - b,
        (Op::Mul, &[a, b]) => a * b,
        (Op::Div, &[a, b]) => a / b,
        (Op::Neg, &[a]) => -a,
        (Op::Abs, &[a]) => a.abs(),
        (Op::Sqrt, &[a]) => a.sqrt(),
        (Op::Reciprocal, &[a]) => 1.0 / a,
        (Op::Minimum | Op::Maximum, &[a, b]) if a.is_nan() || b.is_nan() => f32::NAN,
        (Op::Minimum, &[a, b]) => {
            if a < b {
                a
            } else {
                b
            }
        }
        (Op::Maximum, &[a, b]) => {
            if a > b {
                a
            } else {
                b
            }
        }
        (Op::Gt, &[a, b]) => truth(a > b),
        (Op::Ge, &[a, b]) => truth(a >= b),
        (Op::Lt, &[a, b]) => truth(a < b),
        (Op::Le, &[a, b]) => truth(a <= b),
        (Op::Eq, &[a, b]) => truth(a == b),
        (Op::Ne, &[a, b]) => truth(a != b),
        (Op::Where, &[a, b, c]) => {
            if a == 0.0 {
                c
            } else {
                b
            }
        }
        (Op::LogicalAnd, &[a, b]) => truth(a != 0.0 && b != 0.0),
        (Op::LogicalOr, &[a, b]) => truth(a != 0.0 || b != 0.0),
        (Op::LogicalNot, &[a]) => truth(a == 0.0),
        (Op::Floor, &[a]) => a.floor(),
        (Op::Ceil, &[a]) => a.ceil(),
        (Op::Round, &[a]) => a.round_ties_even(),
        (Op::Trunc, &[a]) => a.trunc(),
        (Op::Sign, &[a]) if a == 0.0 || a.is_nan() => 0.0,
        (Op::Sign, &[a]) => a.signum(),
        (Op::Exp, _) => double(f64::exp),
        (Op::Expm1, _) => double(f64::exp_m1),
        (Op::Log, _) => double(f64::ln),
        (Op::Log1p, _) => double(f64::ln_1p),
        (Op::Tanh, _) => double(f64::tanh),
        // Where the exponential is infinite in single precision, as torch computes it.
        (Op::Sigmoid, _) => double(|x| match (-x).exp() {
            e if e > f64::from(f32::MAX) => 0.0,
            e => 1.0 / (1.0 + e),
        }),
        (Op::Sin, _) => double(f64::sin),
        (Op::Cos, _) => double(f64::cos),
        (Op::Tan, _) => double(f64::tan),
        (Op::Atan, _) => double(f64::atan),
        (Op::Erf, _) => double(erf),
        _ => panic!("{op:?} of {x:?}"),
    }
}

/// The error function, by a series of positive terms up to where single precision has reached 1.
fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let limit = x.clamp(-6.0, 6.0);
    let (mut term, mut sum, mut n) = (limit, limit, 0.0);
    while sum + term != sum {
        n += 1.0;
        term *= 2.0 * limit * limit / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-limit * limit).exp() * sum
}
