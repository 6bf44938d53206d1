//! Traces worked out by hand: one neuron, decay 1/2, threshold 1, numbers that are exact.

use crate::{delayed, immediate};
use bitspike::neuron::{Mechanism, Reset};
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence::{Gradients, Layer, Learned, OutputGradients, Outputs, backward, forward};
use bitspike::simd::Isa;
use bitspike::tiling::{Shape, Strided};

fn layer<'a>(reset: Reset, steps: usize, current: &'a f32, initial: &'a f32) -> Layer<'a> {
    Layer {
        neuron: NeuronKind::Leaky,
        reset,
        shape: Shape {
            steps,
            samples: 1,
            neurons: 1,
        },
        current: Strided::constant(current),
        parameters: vec![Strided::constant(&0.5)],
        threshold: Strided::constant(&1.0),
        graded_factor: Strided::constant(&1.0),
        initial: vec![Strided::constant(initial)],
    }
}

/// Runs from `initial` on a constant current.
#[track_caller]
fn check<const T: usize>(
    reset: Reset,
    (current, initial): (f32, f32),
    expected_membrane: [f32; T],
    expected_spikes: [u64; T],
) {
    for &isa in Isa::available() {
        let (mut spikes, mut membrane) = ([u64::MAX; T], [f32::NAN; T]);
        let outputs = Outputs {
            packed: Some(&mut spikes),
            states: vec![Some(&mut membrane)],
            last: vec![None],
            ..Outputs::default()
        };
        forward(isa, &layer(reset, T, &current, &initial), outputs).expect("lengths fit");
        assert_eq!(membrane, expected_membrane, "{isa:?}");
        assert_eq!(spikes, expected_spikes, "{isa:?}");
    }
}

#[test]
fn delayed_subtract() {
    // 0.75; 0.375 + 0.75; 0.5625 + 0.75 - 1; 0.15625 + 0.75; 0.453125 + 0.75
    let membrane = [0.75, 1.125, 0.3125, 0.90625, 1.203125];
    check(
        delayed(Mechanism::Subtract),
        (0.75, 0.0),
        membrane,
        [0, 1, 0, 0, 1],
    );
}

#[test]
fn delayed_zero() {
    // After the spike of step 2 only the input is left.
    let membrane = [0.75, 1.125, 0.75, 1.125, 0.75];
    check(
        delayed(Mechanism::Zero),
        (0.75, 0.0),
        membrane,
        [0, 1, 0, 1, 0],
    );
}

#[test]
fn delayed_none() {
    // 0.5625 + 0.75; 0.65625 + 0.75; 0.703125 + 0.75
    let membrane = [0.75, 1.125, 1.3125, 1.40625, 1.453125];
    for reset in [delayed(Mechanism::None), immediate(Mechanism::None)] {
        check(reset, (0.75, 0.0), membrane, [0, 1, 1, 1, 1]);
    }
}

#[test]
fn delayed_subtract_beta() {
    // 0.5625 + 0.75 - 0.5; 0.40625 + 0.75; 0.578125 + 0.75 - 0.5
    let membrane = [0.75, 1.125, 0.8125, 1.15625, 0.828125];
    check(
        delayed(Mechanism::SubtractBeta),
        (0.75, 0.0),
        membrane,
        [0, 1, 0, 1, 0],
    );
}

#[test]
fn immediate_subtract() {
    // 1.125 - 1; 0.0625 + 0.75; 0.40625 + 0.75 - 1; 0.078125 + 0.75
    let membrane = [0.75, 0.125, 0.8125, 0.15625, 0.828125];
    check(
        immediate(Mechanism::Subtract),
        (0.75, 0.0),
        membrane,
        [0, 1, 0, 1, 0],
    );
}

#[test]
fn immediate_zero() {
    let membrane = [0.75, 0.0, 0.75, 0.0, 0.75];
    check(
        immediate(Mechanism::Zero),
        (0.75, 0.0),
        membrane,
        [0, 1, 0, 1, 0],
    );
}

/// A membrane that comes in above threshold is reset although nothing has fired.
#[test]
fn initial_membrane_above_threshold() {
    // Delayed: 1 - 1; 0.
    check(delayed(Mechanism::Subtract), (0.0, 2.0), [0.0, 0.0], [0, 0]);
    // Immediate: 1 - 1 does not fire, so that the threshold is given back: 1; then 0.5.
    check(
        immediate(Mechanism::Subtract),
        (0.0, 2.0),
        [1.0, 0.5],
        [0, 0],
    );
    // Immediate zero: the input alone, which does not fire and stays; then half of it and more.
    check(
        immediate(Mechanism::Zero),
        (0.25, 2.0),
        [0.25, 0.375],
        [0, 0],
    );
}

#[test]
fn a_membrane_at_threshold_does_not_fire() {
    check(delayed(Mechanism::Subtract), (1.0, 0.0), [1.0, 1.5], [0, 1]);
}

/// Gradients of current, initial membrane, decay, threshold and graded factor.
type Expected = ([f32; 3], f32, f32, f32, f32);

/// Three steps at current 0.75 from 0; each spike has gradient 1, and so has every surrogate.
#[track_caller]
fn check_backward(reset: Reset, expected: Expected) {
    let surrogate = AnySurrogate::new("straight_through_estimator", &[]).expect("known");
    let incoming = OutputGradients {
        spikes: Strided::constant(&1.0),
        states: vec![Strided::constant(&0.0)],
        last: vec![Strided::constant(&0.0)],
    };
    for &isa in Isa::available() {
        let mut current = [f32::NAN; 3];
        let [mut initial, mut beta, mut threshold, mut graded] = [[f32::NAN]; 4];
        let gradients = Gradients {
            current: Some(&mut current),
            initial: vec![Some(&mut initial)],
            learned: Some(Learned {
                parameters: vec![&mut beta],
                threshold: &mut threshold,
                graded_factor: Some(&mut graded),
            }),
        };
        let layer = layer(reset, 3, &0.75, &0.0);
        backward(isa, &layer, surrogate, &incoming, gradients).expect("lengths fit");
        let found = (current, initial[0], beta[0], threshold[0], graded[0]);
        assert_eq!(found, expected, "{isa:?}");
    }
}

#[test]
fn delayed_subtract_backward() {
    // Membranes 0.75, 1.125, 0.3125: step 2 fires and step 3 resets.
    // δ: 1; 1 + 0.5; 1 + 0.75. Decay: 1·1.125 + 1.5·0.75. Threshold: -3, and -δ₃ for the reset.
    check_backward(
        delayed(Mechanism::Subtract),
        ([1.75, 1.5, 1.0], 0.875, 2.25, -4.0, 1.0),
    );
}

#[test]
fn delayed_zero_backward() {
    // Nothing passes the reset of step 3. δ: 1; 1; 1 + 0.5. Decay: 1·0.75.
    check_backward(
        delayed(Mechanism::Zero),
        ([1.5, 1.0, 1.0], 0.75, 0.75, -3.0, 1.0),
    );
}

#[test]
fn delayed_none_backward() {
    // Membranes 0.75, 1.125, 1.3125: steps 2 and 3 fire.
    check_backward(
        delayed(Mechanism::None),
        ([1.75, 1.5, 1.0], 0.875, 2.25, -3.0, 2.0),
    );
}

#[test]
fn delayed_subtract_beta_backward() {
    // As "subtract", but the reset of step 3 gives the threshold -0.5·δ₃ and the decay -1·δ₃.
    check_backward(
        delayed(Mechanism::SubtractBeta),
        ([1.75, 1.5, 1.0], 0.875, 1.25, -3.5, 1.0),
    );
}

#[test]
fn immediate_subtract_backward() {
    // Compared 0.75, 1.125, 0.8125; left 0.75, 0.125, 0.8125; only step 2 resets (D = 1).
    // Step 3: e = 1. Step 2: m̄ = 0.5, e = 1 - 0.5, threshold -D·m̄. Step 1: m̄ = 0.5, e = 0.5.
    // δ = m̄ + e = 1 everywhere. Decay: 1·0.125 + 1·0.75. Threshold: -(1 + 0.5 + 0.5) - 0.5.
    check_backward(
        immediate(Mechanism::Subtract),
        ([1.0, 1.0, 1.0], 0.5, 0.875, -2.5, 1.0),
    );
}

#[test]
fn immediate_zero_backward() {
    // Compared 0.75, 1.125, 0.75; left 0.75, 0, 0.75; only step 2 resets (D = 1).
    // Step 3: e = δ = 1. Step 2: m̄ = 0.5, e = 1 - 1.125·0.5 = 0.4375, δ = 0·m̄ + e.
    // Step 1: m̄ = 0.21875, e = 1 - 0.75·0.21875 = 0.8359375, δ = m̄ + e.
    // Decay: 1·0 + 0.4375·0.75. Threshold: -(1 + 0.4375 + 0.8359375).
    check_backward(
        immediate(Mechanism::Zero),
        (
            [1.0546875, 0.4375, 1.0],
            0.527_343_75,
            0.328_125,
            -2.273_437_5,
            1.0,
        ),
    );
}
