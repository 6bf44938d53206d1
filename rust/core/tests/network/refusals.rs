//! Files that are refused, each for its reason.

use crate::file::File;
use bitspike::network::{Error, Network};

/// A network of every key that is refused below, changed.
fn good() -> File {
    let mut file = File::new(&[2], "spikes");
    file.tensor("w", &[3, 2], &[0.5; 6]);
    file.op(r#""op": "linear", "in": "x", "out": "c", "weight": "w", "bias": null"#);
    file.leaky("c", "y", "mem").output("y").clone()
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
fn the_good_network_is_read() {
    let bytes = good().bytes();
    let network = Network::from_bytes(&bytes).expect("a network");
    assert_eq!(network.outputs(), ["y"]);
    assert_eq!(
        network.value("c").map(|(shape, _)| shape.to_vec()),
        Some(vec![3])
    );
}

#[test]
fn unknown_ops_and_keys_are_named() {
    let op = "clif".to_owned();
    assert_eq!(
        error(r#""op": "leaky""#, r#""op": "clif""#),
        Error::UnsupportedOp { op }
    );
    let (place, key) = (r#"leaky "y""#.to_owned(), "inhibition".to_owned());
    let unknown = error(r#""beta": 0.5"#, r#""beta": 0.5, "inhibition": true"#);
    assert_eq!(unknown, Error::UnsupportedKey { place, key });
    let (place, key) = ("the graph".to_owned(), "arith".to_owned());
    let unknown = error(r#""dt": 0.001"#, r#""dt": 0.001, "arith": "i32""#);
    assert_eq!(unknown, Error::UnsupportedKey { place, key });
}

#[test]
fn no_key_has_a_default() {
    let keys = [
        r#""dt": 0.001, "#,
        r#""previous": [], "#,
        r#""bias": null"#,
        r#""beta": 0.5, "#,
        r#""threshold": 1.0,"#,
        r#""reset": "subtract", "#,
        r#""reset_delay": true, "#,
        r#""fire_at": "gt", "#,
        r#""order": "integrate_first","#,
        r#""recurrent": null, "#,
        r#", "initial": [0]"#,
        r#", "outputs": ["y"]"#,
    ];
    for key in keys {
        let from = if key.contains("bias") {
            r#", "bias": null"#
        } else {
            key
        };
        let missing = error(from, "");
        assert!(
            matches!(missing, Error::MissingKey { .. }),
            "{key}: {missing:?}"
        );
    }
}

#[test]
fn values_that_a_key_cannot_have_are_refused() {
    let changes = [
        (r#""dt": 0.001"#, r#""dt": 0"#),
        (r#""dt": 0.001"#, r#""dt": "1 ms""#),
        (r#""reset": "subtract""#, r#""reset": "hard""#),
        (r#""fire_at": "gt""#, r#""fire_at": "ge""#),
        (r#""order": "integrate_first""#, r#""order": "fire_first""#),
        (r#""reset_delay": true"#, r#""reset_delay": 1"#),
        (r#""beta": 0.5"#, r#""beta": null"#),
        (r#""state": ["mem"]"#, r#""state": []"#),
        (r#""initial": [0]"#, r#""initial": [0, 0]"#),
        (r#""initial": [0]"#, r#""initial": [null]"#),
        (r#""kind": "spikes""#, r#""kind": "bits""#),
        (r#""shape": [2]"#, r#""shape": [0]"#),
        (r#""shape": [2]"#, r#""shape": [-2]"#),
        (r#""shape": [2]"#, r#""shape": []"#),
    ];
    for (from, to) in changes {
        let refused = error(from, to);
        assert!(matches!(refused, Error::Value { .. }), "{to}: {refused:?}");
    }
}

#[test]
fn names_must_be_made_once_before_they_are_read() {
    let changes = [
        (r#""in": "x", "out": "c""#, r#""in": "z", "out": "c""#),
        (r#""in": "x", "out": "c""#, r#""in": "prev:y", "out": "c""#),
        (r#""in": "x", "out": "c""#, r#""in": "x", "out": "x""#),
        (r#""in": "x", "out": "c""#, r#""in": "x", "out": "prev:c""#),
        (r#""state": ["mem"]"#, r#""state": ["c"]"#),
        (r#""outputs": ["y"]"#, r#""outputs": ["z"]"#),
        (
            r#""previous": []"#,
            r#""previous": [{"name": "z", "shape": [3], "kind": "spikes"}]"#,
        ),
        (
            r#""previous": []"#,
            r#""previous": [{"name": "y", "shape": [4], "kind": "spikes"}]"#,
        ),
        (
            r#""previous": []"#,
            r#""previous": [{"name": "y", "shape": [3], "kind": "numbers"}]"#,
        ),
    ];
    for (from, to) in changes {
        let refused = error(from, to);
        assert!(matches!(refused, Error::Name { .. }), "{to}: {refused:?}");
    }
}

#[test]
fn shapes_must_fit() {
    let changes = [
        (r#""shape": [2]"#, r#""shape": [3]"#),
        (r#""shape": [2]"#, r#""shape": [1, 2]"#),
    ];
    for (from, to) in changes {
        let refused = error(from, to);
        assert!(matches!(refused, Error::Shape { .. }), "{to}: {refused:?}");
    }
    for (from, to) in [
        (r#""weight": "w""#, r#""weight": "v""#),
        (r#""bias": null"#, r#""bias": "w""#),
        (r#""beta": 0.5"#, r#""beta": "w""#),
    ] {
        let refused = error(from, to);
        assert!(matches!(refused, Error::Tensor { .. }), "{to}: {refused:?}");
    }
}

#[test]
fn a_neuron_says_what_it_cannot_do() {
    let neuron = |op: &str, reset: &str, recurrent: &str| {
        let mut file = File::new(&[1], "numbers");
        file.op(format!(
            r#""op": "{op}", "in": "x", "out": "y", "beta": 0.5, "threshold": 1, {reset},
            "fire_at": "gt", "order": "integrate_first", "recurrent": {recurrent}, "state": ["mem"], "initial": [0]"#
        ));
        file.output("y").try_bytes()
    };
    let delayed = r#""reset": "subtract", "reset_delay": true"#;
    let immediate = r#""reset": "subtract_beta", "reset_delay": false"#;
    assert!(neuron("leaky", delayed, r#""x""#).is_ok());
    let recurrent = neuron("plif", delayed, r#""x""#).expect_err("a refusal");
    assert_eq!(
        recurrent,
        bitspike::Error::NotRecurrent { neuron: "plif" }.into()
    );
    let reset = neuron("leaky", immediate, "null").expect_err("a refusal");
    assert!(
        matches!(reset, Error::Kernel(bitspike::Error::Reset { .. })),
        "{reset:?}"
    );
}

#[test]
fn a_border_is_one_number_and_around_spikes_silent() {
    let border = |kind: &str, padding: &str, value: &str| {
        let mut file = File::new(&[1, 2], kind);
        file.tensor("each", &[2], &[1.0, 2.0]);
        file.op(format!(
            r#""op": "pad", "in": "x", "out": "y", "padding": [{padding}], "value": {value}"#
        ));
        file.output("y").try_bytes()
    };
    assert!(border("spikes", "1", "0").is_ok());
    assert!(border("numbers", "1", "0.5").is_ok());
    for (kind, padding, value) in [
        ("spikes", "1", "1"),
        ("numbers", "1", r#""each""#),
        ("numbers", "2097152", "0"),
        ("numbers", "1, 1", "0"),
    ] {
        let refused = border(kind, padding, value).expect_err("a refusal");
        assert!(matches!(refused, Error::Value { .. }), "{refused:?}");
    }
}

#[test]
fn claims_of_great_sizes_are_refused_before_memory_is_taken() {
    let kinds = [
        (r#""shape": [2]"#, r#""shape": [1000000000000]"#),
        (
            r#""shape": [2]"#,
            r#""shape": [4294967296, 4294967296, 4294967296]"#,
        ),
    ];
    for (from, to) in kinds {
        let refused = error(from, to);
        assert!(matches!(refused, Error::Limit { .. }), "{to}: {refused:?}");
    }
    let mut file = File::new(&[1, 4, 4], "spikes");
    file.tensor("w", &[1, 1, 1, 1], &[1.0]);
    for padding in [1_u64 << 20, 1 << 40, u64::MAX] {
        let mut file = file.clone();
        file.op(format!(
            r#""op": "conv2d", "in": "x", "out": "y", "weight": "w", "bias": null, "groups": 1,
            "stride": [1, 1], "padding": [{padding}, {padding}], "dilation": [1, 1]"#
        ));
        let refused = file.output("y").try_bytes().expect_err("a refusal");
        assert!(
            matches!(refused, Error::Limit { .. } | Error::Kernel(_)),
            "{refused:?}"
        );
    }
    file.op(r#""op": "delay", "in": "x", "out": "y", "steps": 100000000"#);
    assert!(matches!(
        file.output("y").try_bytes(),
        Err(Error::Value { .. })
    ));
}

#[test]
fn deep_and_repeated_json_is_refused() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(matches!(
        error(r#""dt": 0.001"#, &format!(r#""dt": {deep}"#)),
        Error::Json { .. }
    ));
    assert!(matches!(
        error(r#""dt": 0.001"#, r#""dt": 1, "dt": 1"#),
        Error::Json { .. }
    ));
    let long = format!(r#""extra": "{}", "dt": 0.001"#, "x".repeat(1 << 20));
    assert!(matches!(
        error(r#""dt": 0.001"#, &long),
        Error::Limit { .. }
    ));
    assert!(
        good()
            .with_graph(&good().graph().replacen("{", r#"{"extra": [1], "#, 1))
            .is_ok()
    );
}

/// A file of this header and so many bytes of numbers.
fn container(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(vec![0; data]);
    bytes
}

#[test]
fn files_that_are_no_safetensors_are_refused() {
    let tensor = |offsets: &str| {
        format!(r#"{{"a": {{"dtype": "F32", "shape": [2], "data_offsets": {offsets}}}}}"#)
    };
    let files = [
        (Vec::new(), "the length"),
        (vec![0xff; 8], "limit"),
        (u64::to_le_bytes(100).to_vec(), "its header"),
        (container("[]", 0), "object"),
        (container("{", 0), "JSON"),
        (container("{}", 4), "behind"),
        (container(&tensor("[0, 4]"), 4), "offsets"),
        (container(&tensor("[8, 0]"), 8), "offsets"),
        (container(&tensor("[4, 12]"), 12), "gap"),
        (container(&tensor("[0, 8]"), 4), "beyond"),
        (container(&tensor("[0, 8]"), 9), "behind"),
        (
            container(&tensor("[0, 8]").replace("F32", "F8"), 8),
            "dtype",
        ),
        (
            container(&tensor("[0, 8]").replace("[2]", "[4611686018427387906]"), 8),
            "offsets",
        ),
        (
            container(&tensor("[0, 8]").replace("\"shape\"", "\"size\""), 8),
            "odd",
        ),
        (container(r#"{"a": 1, "a": 2}"#, 0), "twice"),
        (container(r#"{"__metadata__": {"format": 1}}"#, 0), "texts"),
        (
            container(r#"{"__metadata__": {"format": "bitspike.network/2"}}"#, 0),
            "network/1",
        ),
        (
            container(r#"{"__metadata__": {"format": "bitspike.network/1"}}"#, 0),
            "graph",
        ),
    ];
    for (bytes, reason) in files {
        let refused = Network::from_bytes(&bytes)
            .expect_err("a refusal")
            .to_string();
        assert!(
            refused.contains(reason),
            "{refused:?} does not say {reason:?}"
        );
    }
}

#[test]
fn a_changed_weight_is_noticed() {
    let mut bytes = good().bytes();
    *bytes.last_mut().expect("weights") ^= 1;
    assert!(matches!(
        Network::from_bytes(&bytes),
        Err(Error::Digest { .. })
    ));
}
