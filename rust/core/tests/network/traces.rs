//! Networks so small that their steps were computed by hand.

use crate::file::File;
use bitspike::network::{Decided, Decision, Input, Network, Output, Rule, State};
use bitspike::simd::Isa;
use std::ops::ControlFlow;

fn network(file: &File) -> Network {
    file.network(Isa::active().expect("an instruction set"))
}

/// The numbers of a value at each step of these inputs.
fn numbers(network: &Network, name: &str, steps: &[&[f32]]) -> Vec<Vec<f32>> {
    let mut state = network.state(1).expect("a state");
    let step = |input: &&[f32]| {
        let output = network
            .step(&mut state, Input::Dense(input))
            .expect("a step");
        output.numbers(name, 0).expect("numbers").to_vec()
    };
    steps.iter().map(step).collect()
}

#[test]
fn a_linear_layer_adds_the_weights_of_active_inputs_and_its_bias() {
    let mut file = File::new(&[3], "spikes");
    file.tensor("w", &[2, 3], &[1.0, 2.0, 4.0, 10.0, 20.0, 40.0]);
    file.tensor("b", &[2], &[0.5, -0.5]);
    file.op(r#""op": "linear", "in": "x", "out": "y", "weight": "w", "bias": "b""#);
    let network = network(file.output("y"));
    let inputs: [&[f32]; 3] = [&[0.0, 0.0, 0.0], &[1.0, 0.0, 1.0], &[1.0, 1.0, 1.0]];
    let expected = [[0.5, -0.5], [5.5, 49.5], [7.5, 69.5]];
    assert_eq!(numbers(&network, "y", &inputs), expected);
}

#[test]
fn numbers_are_multiplied_by_their_weights() {
    let mut file = File::new(&[2], "numbers");
    file.tensor("w", &[1, 2], &[2.0, -1.0]);
    file.op(r#""op": "linear", "in": "x", "out": "y", "weight": "w", "bias": null"#);
    let network = network(file.output("y"));
    assert_eq!(
        numbers(&network, "y", &[&[0.5, 3.0], &[0.0, 0.25]]),
        [[-2.0], [-0.25]]
    );
}

#[test]
fn a_leaky_integrator_collects_what_comes_in() {
    let mut file = File::new(&[1], "numbers");
    file.op(r#""op": "li", "in": "x", "out": "y", "beta": 0.5, "state": ["mem"], "initial": [0]"#);
    let network = network(file.output("y"));
    let steps: [&[f32]; 3] = [&[1.0], &[2.0], &[0.0]];
    assert_eq!(numbers(&network, "y", &steps), [[1.0], [2.5], [1.25]]);
    assert_eq!(numbers(&network, "mem", &steps), [[1.0], [2.5], [1.25]]);
}

#[test]
fn neurons_take_spikes_as_ones() {
    let mut file = File::new(&[1], "spikes");
    file.leaky("x", "y", "mem").output("y");
    let steps: [&[f32]; 3] = [&[1.0], &[1.0], &[0.0]];
    assert_eq!(
        numbers(&network(&file), "mem", &steps),
        [[1.0], [1.5], [-0.25]]
    );
}

#[test]
fn an_integrate_and_fire_neuron_loses_nothing() {
    let mut file = File::new(&[1], "numbers");
    file.op(
        r#""op": "if", "in": "x", "out": "y", "threshold": 1.0, "reset": "subtract",
        "reset_delay": true, "fire_at": "gt", "order": "integrate_first", "recurrent": null,
        "state": ["mem"], "initial": [0]"#,
    );
    let network = network(file.output("y"));
    let steps: [&[f32]; 4] = [&[0.75], &[0.5], &[0.0], &[0.5]];
    assert_eq!(
        numbers(&network, "mem", &steps),
        [[0.75], [1.25], [0.25], [0.75]]
    );
}

#[test]
fn a_previous_value_is_that_of_the_step_before() {
    let mut file = File::new(&[1], "numbers");
    file.previous
        .push(r#"{"name": "sum", "shape": [1], "kind": "numbers"}"#.to_owned());
    file.op(r#""op": "add", "in": ["x", "prev:sum"], "out": "sum""#);
    let network = network(file.output("sum"));
    assert_eq!(
        numbers(&network, "sum", &[&[1.0], &[2.0], &[4.0]]),
        [[1.0], [3.0], [7.0]]
    );
}

#[test]
fn a_delay_gives_back_what_came_so_many_steps_before() {
    for kind in ["numbers", "spikes"] {
        let mut file = File::new(&[1], kind);
        file.op(r#""op": "delay", "in": "x", "out": "late", "steps": 2"#);
        file.op(r#""op": "scale", "in": "late", "out": "y", "factor": 3"#);
        let network = network(file.output("y"));
        let steps: [&[f32]; 5] = [&[1.0], &[0.0], &[1.0], &[1.0], &[0.0]];
        let expected = [[0.0], [0.0], [3.0], [0.0], [3.0]];
        assert_eq!(numbers(&network, "y", &steps), expected, "{kind}");
    }
}

#[test]
fn a_border_is_silent_or_holds_a_number() {
    let mut file = File::new(&[2, 1, 2], "spikes");
    file.op(r#""op": "pad", "in": "x", "out": "wide", "padding": [1, 2], "value": 0"#);
    file.op(r#""op": "scale", "in": "wide", "out": "y", "factor": 1"#);
    let spikes = network(file.output("y"));
    assert_eq!(spikes.value("wide").expect("a value").0, [2, 3, 6]);
    let mut expected = [0.0; 36];
    (expected[6 + 2], expected[18 + 6 + 3]) = (1.0, 1.0);
    let found = numbers(&spikes, "y", &[&[1.0, 0.0, 0.0, 1.0]]);
    assert_eq!(found, [expected]);

    let mut file = File::new(&[1, 3], "numbers");
    file.tensor("lowest", &[1], &[f32::NEG_INFINITY]);
    file.op(r#""op": "pad", "in": "x", "out": "wide", "padding": [1], "value": "lowest""#);
    file.op(r#""op": "maxpool", "in": "wide", "out": "y", "kernel": [2], "stride": [2]"#);
    let largest = network(file.output("y"));
    let found = numbers(&largest, "y", &[&[-2.0, -1.0, -3.0]]);
    assert_eq!(found, [[-2.0, -1.0]]);
}

#[test]
fn pools_sum_average_and_join_their_windows() {
    let maps = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0];
    for kind in ["numbers", "spikes"] {
        for (op, expected) in [("sumpool", [2.0, 1.0]), ("avgpool", [0.5, 0.25])] {
            let mut file = File::new(&[1, 2, 4], kind);
            file.op(format!(
                r#""op": "{op}", "in": "x", "out": "y", "kernel": [2, 2], "stride": [2, 2]"#
            ));
            let network = network(file.output("y"));
            assert_eq!(network.value("y").expect("a value").0, [1, 1, 2]);
            assert_eq!(
                numbers(&network, "y", &[&maps]),
                [expected],
                "{op} of {kind}"
            );
        }
    }
    let mut file = File::new(&[1, 2, 4], "numbers");
    file.op(r#""op": "maxpool", "in": "x", "out": "y", "kernel": [2, 2], "stride": [2, 2]"#);
    let largest = network(file.output("y"));
    let maps = [-2.0, -1.5, 0.0, 1.0, -4.0, -3.0, 2.5, 0.0];
    assert_eq!(numbers(&largest, "y", &[&maps]), [[-1.5, 2.5]]);
    let mut file = File::new(&[1, 4], "spikes");
    file.op(r#""op": "orpool", "in": "x", "out": "any", "kernel": [2], "stride": [2]"#);
    file.op(r#""op": "scale", "in": "any", "out": "y", "factor": 1"#);
    let network = network(file.output("y"));
    assert_eq!(
        numbers(&network, "y", &[&[0.0, 1.0, 0.0, 0.0]]),
        [[1.0, 0.0]]
    );
}

#[test]
fn convolutions_of_numbers_and_of_spikes_agree() {
    // Two groups of one channel, kernel 2, stride 1, a zero on each side.
    let weight = [1.0, 2.0, 10.0, 20.0];
    for kind in ["numbers", "spikes"] {
        let mut file = File::new(&[2, 3], kind);
        file.tensor("w", &[2, 1, 2], &weight)
            .tensor("b", &[2], &[0.5, 0.0]);
        file.op(
            r#""op": "conv1d", "in": "x", "out": "y", "weight": "w", "bias": "b", "groups": 2,
            "stride": [1], "padding": [1], "dilation": [1]"#,
        );
        let network = network(file.output("y"));
        let sums = numbers(&network, "y", &[&[1.0, 0.0, 1.0, 0.0, 1.0, 1.0]]);
        assert_eq!(
            sums,
            [[2.5, 1.5, 2.5, 1.5, 0.0, 20.0, 30.0, 10.0]],
            "{kind}"
        );
    }
}

#[test]
fn outputs_are_counted_until_a_reset() {
    let mut file = File::new(&[2], "numbers");
    file.op(r#""op": "threshold", "in": "x", "out": "y", "threshold": 1, "fire_at": "gt""#);
    let network = network(file.output("y"));
    let mut state = network.state(1).expect("a state");
    for input in [[2.0, 0.0], [2.0, 2.0], [1.0, 0.0]] {
        network
            .step(&mut state, Input::Dense(&input))
            .expect("a step");
    }
    let counts = |state: &State| {
        let output = network.output(state).expect("its own");
        output.counts("y", 0).map(<[f32]>::to_vec)
    };
    assert_eq!(counts(&state), Some(vec![2.0, 1.0]));
    state.reset();
    assert_eq!(counts(&state), Some(vec![0.0, 0.0]));
}

#[test]
fn events_words_and_numbers_are_the_same_input() {
    let mut file = File::new(&[70], "spikes");
    file.op(r#""op": "scale", "in": "x", "out": "y", "factor": 1"#);
    let network = network(file.output("y"));
    let mut dense = [0.0; 140];
    for active in [3, 69, 70, 139] {
        dense[active] = 1.0;
    }
    let inputs = [
        Input::Events(&[139, 3, 70, 69, 3]),
        Input::Words(&[1 << 3, 1 << 5, 1, 1 << 5]),
        Input::Dense(&dense),
    ];
    for input in inputs {
        let mut state = network.state(2).expect("a state");
        let output = network.step(&mut state, input).expect("a step");
        let rows = [0, 1].map(|sample| output.numbers("y", sample).expect("numbers"));
        assert_eq!(rows.concat(), dense);
    }
}

/// Two outputs that are the inputs.
fn relay() -> Network {
    let mut file = File::new(&[2], "spikes");
    file.op(r#""op": "scale", "in": "x", "out": "numbers", "factor": 1"#);
    file.op(r#""op": "threshold", "in": "numbers", "out": "y", "threshold": 0.5, "fire_at": "gt""#);
    network(file.output("y"))
}

#[test]
fn a_run_ends_early_where_its_rules_say_so() {
    let network = relay();
    let sequence = [0b00, 0b10, 0b11, 0b10, 0b10, 0b10];
    let decided = |rule| {
        let mut state = network.state(1).expect("a state");
        let mut decision = Decision::new(rule);
        let visit = |_, output: Output<'_>| decision.see(&output, "y", 0);
        network.run(&mut state, &sequence, visit).expect("a run")
    };
    let at = |class, step| Some(Decided { class, step });
    assert_eq!(decided(Rule::FirstSpike), at(1, 1));
    // Counts are 0-0, 0-1, 1-2, 1-3, 1-4, 1-5.
    assert_eq!(decided(Rule::Margin(2.0)), at(1, 3));
    assert_eq!(decided(Rule::Margin(5.0)), None);
    assert_eq!(decided(Rule::Stable(3)), at(1, 3));
    assert_eq!(decided(Rule::Stable(6)), None);
}

#[test]
fn a_run_without_rules_sees_every_step() {
    let network = relay();
    let mut state = network.state(1).expect("a state");
    let mut seen = Vec::new();
    let ended = network.run(&mut state, &[0b01, 0b10], |step, output| {
        seen.push((step, output.spikes("y").expect("spikes")[0]));
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(ended, Ok(None));
    assert_eq!(seen, [(0, 0b01), (1, 0b10)]);
}

#[test]
fn events_with_times_are_grouped_into_steps() {
    // Steps of 1000 µs.
    let network = relay();
    let mut state = network.state(1).expect("a state");
    let mut seen = Vec::new();
    let mut binner = network.binner(500).expect("whole microseconds");
    for (time, event) in [(500, 0), (1499, 1), (1500, 1), (3600, 0)] {
        let visit = |output: Output<'_>| seen.push(output.spikes("y").expect("spikes")[0]);
        network
            .push(&mut state, &mut binner, time, event, visit)
            .expect("in order");
    }
    assert_eq!(seen, [0b11, 0b10, 0]);
    assert!(
        network
            .push(&mut state, &mut binner, 3499, 0, |_| ())
            .is_err()
    );
    let last = network.flush(&mut state, &mut binner).expect("a step");
    assert_eq!(last.spikes("y"), Some(&[0b01][..]));
}
