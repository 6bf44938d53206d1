//! The two time loops, against loops over one neuron at a time.

mod backward;
mod case;
mod errors;
mod filtered;
mod forward;
mod plain;
mod reference;
mod surrogate;
mod threads;
mod traces;
#[path = "../common/views.rs"]
mod views;

use bitspike::neuron::{Mechanism, Reset};

/// Every reset that has a definition in snnTorch, and the delayed one that only we have.
const RESETS: [Reset; 7] = [
    delayed(Mechanism::Subtract),
    delayed(Mechanism::Zero),
    delayed(Mechanism::None),
    delayed(Mechanism::SubtractBeta),
    immediate(Mechanism::Subtract),
    immediate(Mechanism::Zero),
    immediate(Mechanism::None),
];

const fn delayed(mechanism: Mechanism) -> Reset {
    Reset {
        mechanism,
        immediate: false,
    }
}

const fn immediate(mechanism: Mechanism) -> Reset {
    Reset {
        mechanism,
        immediate: true,
    }
}

/// Fails unless both hold the same bits; any NaN equals any other.
#[track_caller]
fn assert_same_bits(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(same, "{what}[{i}] is {found:e}, not {expected:e}");
    }
}
