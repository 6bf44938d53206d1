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
            // The sigmoid has torch's bits instead.
            let limit = if op == Op::Sigmoid { 2 } else { 1 };
            let near = distance(found, expected) <= limit && found.is_nan() == expected.is_nan();
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
fn the_sigmoid_is_that_of_torch() {
    // torch.sigmoid on a CPU with AVX2: all but the last are not the nearest floats.
    let x = [
        -9.172_362e-2,
        -1.160_915_3,
        -1.135_537_6,
        -2.711_983_2,
        3.595_245_2e-1,
        1.699_951_9,
        5.504_338e-1,
        -3.457_080_6,
        2.546_131_1,
        3.712_973_6,
        -88.7,
    ];
    let expected = [
        4.770_852e-1,
        2.385_010_4e-1,
        2.431_406_2e-1,
        6.226_994e-2,
        5.889_253_6e-1,
        8.455_285e-1,
        6.342_363e-1,
        3.055_839_8e-2,
        9.273_131e-1,
        9.761_765e-1,
        3.006_636e-39,
    ];
    for &isa in Isa::available() {
        assert_bits(&of(isa, Op::Sigmoid, &x), &expected, &format!("{isa:?}"));
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
