//! Operations of one number, over all of them and at their limits.

use crate::case::{Case, assert_bits};
use crate::reference::evaluate;
use bitspike::program::{Instruction, Op, Program};
use bitspike::simd::Isa;

/// The operation of each number.
fn of(isa: Isa, op: Op, x: &[f32]) -> Vec<f32> {
    let operands = vec![0];
    let program = Program {
        sequences: 1,
        code: vec![Instruction { op, operands }],
        outputs: vec![1],
        ..Program::default()
    };
    Case::row(program, x).forward(isa).outputs.swap_remove(0)
}

/// Every 4099th float of either sign, and those around the limits of functions.
fn numbers() -> Vec<f32> {
    let all = (0..u32::MAX / 4099).map(|i| f32::from_bits(i * 4099));
    let limits = [
        0.0, 0.5, 1.0, 1.5, 2.5, 88.72, 103.97, 104.1, 131_072.0, 3.0e38, 1e-38, 1e-45,
    ];
    let near = limits.into_iter().flat_map(|x: f32| {
        let bits = x.to_bits();
        (bits.saturating_sub(40)..bits + 40).flat_map(|bits| [bits, bits | 1 << 31])
    });
    let others = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    all.chain(near.map(f32::from_bits)).chain(others).collect()
}

/// How many floats lie between two.
fn distance(a: f32, b: f32) -> u32 {
    let place = |x: f32| {
        let bits = x.to_bits() as i32;
        if bits < 0 { i32::MIN - bits } else { bits }
    };
    place(a).abs_diff(place(b))
}

#[test]
fn functions_are_the_nearest_floats_or_next_to_them() {
    let x = numbers();
    for &op in Op::ALL.iter().filter(|op| op.arity() == 1) {
        let exact = !(Op::Exp as u8..=Op::Erf as u8).contains(&(op as u8));
        for (&x, found) in x.iter().zip(of(Isa::Scalar, op, &x)) {
            let expected = evaluate(op, &[x]);
            let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            let near = distance(found, expected) <= 1 && found.is_nan() == expected.is_nan();
            assert!(
                same || near && !exact,
                "{op:?} of {x:e} is {found:e}, not {expected:e}"
            );
            let zero = found == 0.0 && x == 0.0;
            assert!(!zero || found.is_sign_negative() == expected.is_sign_negative());
        }
    }
}

#[test]
fn every_instruction_set_returns_the_same_bits() {
    let x = numbers();
    for &op in Op::ALL.iter().filter(|op| op.arity() == 1) {
        let expected = of(Isa::Scalar, op, &x);
        for &isa in Isa::available() {
            assert_bits(&of(isa, op, &x), &expected, &format!("{op:?} on {isa:?}"));
        }
    }
}
