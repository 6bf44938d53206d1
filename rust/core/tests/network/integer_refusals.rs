//! Files of integers that are refused, each for its reason; and traces computed by hand.

use crate::file::File;
use bitspike::network::{Dtype, Error, Input, Network};
use bitspike::simd::Isa;

/// Two inputs of weights 3 and -128, a decay of a half, a threshold of 4.
fn good() -> File {
    let mut file = File::new(&[2], "spikes");
    file.bytes_of("w", Dtype::I8, &[1, 2], vec![3, 128])
        .integers("b", &[1], &[2])
        .integers("theta", &[1], &[4]);
    file.op(
        r#""op": "linear", "arith": "i32", "in": "x", "out": "c", "weight": "w", "shape": [1, 2],
        "bits": 8, "shift": 0, "bias": "b", "acc_bound": 133"#,
    );
    file.op(
        r#""op": "leaky", "arith": "i32", "in": "c", "out": "y", "beta": {"shift": 1, "round": "floor"},
        "threshold": "theta", "reset": "subtract", "reset_delay": true, "fire_at": "gt",
        "order": "integrate_first", "recurrent": null, "state": ["mem"], "acc_bound": 270"#,
    );
    file.output("y").clone()
}

/// The error of the good graph with a part of it replaced.
fn error(from: &str, to: &str) -> Error {
    let file = good();
    let graph = file.graph();
    assert!(graph.contains(from), "{from} is no part of {graph}");
    file.with_graph(&graph.replacen(from, to, 1))
        .expect_err("a refusal")
}

#[test]
fn a_trace_of_integers() {
    let network = good().network(Isa::Scalar);
    let mut state = network.state(1).expect("a state");
    // Currents are 5, 5, -126, 2, -126: membranes decay towards minus infinity.
    let steps: [(&[u32], i32, u64); 5] = [
        (&[0], 5, 1),
        (&[0], 4, 0),
        (&[1], -124, 0),
        (&[], -60, 0),
        (&[1], -156, 0),
    ];
    for (events, membrane, fired) in steps {
        let output = network
            .step(&mut state, Input::Events(events))
            .expect("a step");
        assert_eq!(output.integers("mem", 0), Some(&[membrane][..]));
        assert_eq!(output.spikes("y"), Some(&[fired][..]));
        assert_eq!(output.numbers("mem", 0), None);
    }
}

#[test]
fn bounds_are_checked_neuron_by_neuron() {
    let refused = error(r#""shift": 1"#, r#""shift": 24"#);
    let place = r#"leaky "y""#.to_owned();
    let (bound, limit) = (135 << 24, i32::MAX as u64);
    assert_eq!(
        refused,
        Error::Bound {
            place,
            neuron: 0,
            bound,
            limit
        }
    );
    for (from, to) in [
        ("270", "269"),
        ("133", "134"),
        ("133", "null"),
        ("133", "-133"),
    ] {
        let refused = error(
            &format!(r#""acc_bound": {from}"#),
            &format!(r#""acc_bound": {to}"#),
        );
        assert!(
            matches!(
                refused,
                Error::Value {
                    key: "acc_bound",
                    ..
                }
            ),
            "{refused:?}"
        );
    }
    let mut file = good();
    file.op(
        r#""op": "li", "arith": "i32", "in": "c", "out": "u", "beta": {"shift": 12, "round": "floor"},
        "state": ["sum"], "acc_bound": 552960"#,
    );
    file.bytes_of("v", Dtype::I8, &[1, 1], vec![1]);
    file.op(
        r#""op": "linear", "arith": "i32", "in": "u", "out": "z", "weight": "v", "shape": [1, 1],
        "bits": 8, "shift": 0, "bias": null, "acc_bound": 552960"#,
    );
    let refused = file.try_bytes().expect_err("a refusal");
    assert!(
        matches!(refused, Error::Bound { limit: 32_767, .. }),
        "{refused:?}"
    );
}

#[test]
fn values_that_integers_cannot_have_are_refused() {
    let changes = [
        (
            r#""arith": "i32", "in": "x""#,
            r#""arith": "i64", "in": "x""#,
        ),
        (r#""bits": 8"#, r#""bits": 3"#),
        (r#""shift": 0"#, r#""shift": 1"#),
        (r#""shift": 1"#, r#""shift": 25"#),
        (r#""shift": 1"#, r#""multiply": 32768"#),
        (r#""round": "floor""#, r#""round": "up""#),
        (r#"{"shift": 1, "round": "floor"}"#, "0.5"),
        (r#""threshold": "theta""#, r#""threshold": -1"#),
        (r#""threshold": "theta""#, r#""threshold": 0.5"#),
        (r#""reset": "subtract""#, r#""reset": "subtract_beta""#),
        (r#""fire_at": "gt""#, r#""fire_at": "eq""#),
        (r#""recurrent": null"#, r#""recurrent": "x""#),
        (r#""state": ["mem"]"#, r#""state": ["mem", "syn"]"#),
        (r#""kind": "spikes""#, r#""kind": "numbers""#),
        (r#""in": "c""#, r#""in": "x""#),
    ];
    for (from, to) in changes {
        let refused = error(from, to);
        assert!(matches!(refused, Error::Value { .. }), "{to}: {refused:?}");
    }
    let unsupported = error(r#""op": "leaky""#, r#""op": "alpha""#);
    let op = "alpha of i32".to_owned();
    assert_eq!(unsupported, Error::UnsupportedOp { op });
    for (from, to) in [
        (r#""bits": 8"#, r#""bits": 4"#),
        (r#""shape": [1, 2]"#, r#""shape": [2, 1]"#),
        (r#""weight": "w""#, r#""weight": "b""#),
        (r#""bias": "b""#, r#""bias": "w""#),
        (r#""threshold": "theta""#, r#""threshold": "w""#),
    ] {
        let refused = error(from, to);
        assert!(matches!(refused, Error::Tensor { .. }), "{to}: {refused:?}");
    }
}

#[test]
fn ops_in_floats_take_no_integers_but_by_a_factor() {
    let with = |op: &str| {
        let mut file = good();
        file.op(op);
        file.try_bytes()
    };
    assert!(with(r#""op": "scale", "in": "c", "out": "z", "factor": 0.5"#).is_ok());
    for op in [
        r#""op": "add", "in": ["c", "c"], "out": "z""#,
        r#""op": "threshold", "in": "c", "out": "z", "threshold": 1, "fire_at": "gt""#,
        r#""op": "li", "in": "c", "out": "z", "beta": 0.5, "state": ["z2"], "initial": [0]"#,
        r#""op": "quantise", "arith": "i32", "in": "x", "out": "z", "scale": 1, "low": 0, "high": 1"#,
    ] {
        let refused = with(op).expect_err("a refusal");
        assert!(
            matches!(refused, Error::Value { key: "in", .. }),
            "{refused:?}"
        );
    }
}

#[test]
fn numbers_become_the_nearest_integers_of_a_range() {
    let mut file = File::new(&[8], "numbers");
    file.op(
        r#""op": "quantise", "arith": "i32", "in": "x", "out": "q", "scale": 0.5, "low": -3, "high": 5"#,
    );
    file.op(r#""op": "scale", "in": "q", "out": "y", "factor": 0.5"#);
    let bytes = file.output("y").bytes();
    let x = [
        0.25,
        0.75,
        -0.25,
        -0.75,
        9.0,
        f32::NEG_INFINITY,
        f32::NAN,
        1.1,
    ];
    for &isa in Isa::available() {
        let network = Network::for_isa(isa, &bytes).expect("a network");
        let mut state = network.state(1).expect("a state");
        let output = network.step(&mut state, Input::Dense(&x)).expect("a step");
        assert_eq!(
            output.integers("q", 0),
            Some(&[0, 2, 0, -2, 5, -3, -3, 2][..])
        );
        let numbers = [0.0, 1.0, 0.0, -1.0, 2.5, -1.5, -1.5, 1.0];
        assert_eq!(output.numbers("y", 0), Some(&numbers[..]));
    }
}

#[test]
fn a_state_beyond_the_bounds_is_refused() {
    let network = good().network(Isa::Scalar);
    let mut state = network.state(1).expect("a state");
    let mut saved = network.save(&state).expect("its own");
    // The only tensor of integers is the membrane; counts lie behind it.
    let text = String::from_utf8_lossy(&saved).into_owned();
    let length = u64::from_le_bytes(saved[..8].try_into().expect("eight")) as usize;
    let at = text.find(r#""mem""#).expect("a membrane");
    let offset = text[at..]
        .split("[")
        .nth(2)
        .and_then(|rest| rest.split(',').next());
    let place = 8
        + length
        + offset
            .expect("an offset")
            .parse::<usize>()
            .expect("a number");
    saved[place..place + 4].copy_from_slice(&271_i32.to_le_bytes());
    assert!(matches!(
        network.restore(&mut state, &saved),
        Err(Error::Tensor { .. })
    ));
    saved[place..place + 4].copy_from_slice(&270_i32.to_le_bytes());
    assert_eq!(network.restore(&mut state, &saved), Ok(()));
}
