//! States that do not fit.

use crate::file::File;
use bitspike::network::{Error, Input, Network};
use bitspike::simd::Isa;

fn network(threshold: f32) -> Network {
    let mut file = File::new(&[3], "numbers");
    file.op(r#""op": "li", "in": "x", "out": "u", "beta": 0.5, "state": ["mem"], "initial": [0]"#);
    file.op(format!(
        r#""op": "threshold", "in": "u", "out": "y", "threshold": {threshold}, "fire_at": "gt""#
    ));
    file.output("y").network(Isa::Scalar)
}

#[test]
fn a_state_of_another_network_is_refused() {
    let (own, other) = (network(1.0), network(2.0));
    assert_ne!(own.digest(), other.digest());
    let mut state = own.state(1).expect("a state");
    let saved = own.save(&state).expect("its own");
    let refused = |result: Result<(), Error>| {
        assert!(matches!(result, Err(Error::State { .. })), "{result:?}");
    };
    refused(other.restore(&mut other.state(1).expect("a state"), &saved));
    refused(own.restore(&mut own.state(2).expect("a state"), &saved));
    refused(other.step(&mut state, Input::Dense(&[0.0; 3])).map(|_| ()));
    refused(other.output(&state).map(|_| ()));
    refused(other.save(&state).map(|_| ()));
    refused(other.restore(&mut state, &saved));
    refused(own.state(0).map(|_| ()));
    refused(own.state(usize::MAX / 8).map(|_| ()));
    assert!(own.restore(&mut state, b"nothing").is_err());
}

#[test]
fn a_refused_input_leaves_the_state_alone() {
    let network = network(1.0);
    let mut state = network.state(2).expect("a state");
    network
        .step(&mut state, Input::Dense(&[1.5; 6]))
        .expect("a step");
    let before = network.save(&state).expect("its own");
    let inputs = [
        Input::Dense(&[0.0; 5]),
        Input::Events(&[6]),
        Input::Words(&[0]),
        Input::Words(&[0, 0b1000]),
    ];
    for input in inputs {
        assert!(network.step(&mut state, input).is_err(), "{input:?}");
        assert_eq!(network.save(&state).expect("its own"), before);
    }
}

#[test]
fn memory_says_what_a_state_takes() {
    let network = network(1.0);
    // Rows of 64 numbers: the input, the membrane, the counts; a word of spikes; the end of the lists.
    let (row, word, start) = (64 * 4, 8, 8);
    assert_eq!(network.memory(1), Ok(3 * row + word + start));
    assert_eq!(network.memory(5), Ok(5 * (3 * row + word + start)));
}
