//! Networks in integers, against integers of 64 bits.

use crate::integer_case::{INPUTS, IntegerCase, STEPS, Values};
use bitspike::network::{Input, Kind, Network, Output};
use bitspike::simd::Isa;

/// Checks all values that a network has.
fn check(network: &Network, output: &Output<'_>, expected: &Values, sample: usize, what: &str) {
    for (name, expected) in expected {
        match network.value(name).map(|(_, kind)| kind) {
            Some(Kind::Spikes) => {
                let words = output.spikes(name).expect("spikes");
                let row = expected.len().div_ceil(64);
                let words = &words[sample * row..][..row];
                let found = (0..expected.len()).map(|n| (words[n / 64] >> (n % 64) & 1) as i64);
                assert_eq!(&found.collect::<Vec<_>>(), expected, "{what}: {name}");
            }
            Some(Kind::Integers) => {
                let found = output.integers(name, sample).expect("integers").iter();
                let found: Vec<_> = found.copied().map(i64::from).collect();
                assert_eq!(&found, expected, "{what}: {name}");
            }
            kind => unreachable!("{name} is of {kind:?}"),
        }
    }
}

/// Some steps of spikes, dense or rare.
fn input(seed: u64) -> Vec<Vec<i64>> {
    let mut random = IntegerCase::new(seed);
    let share = 1 + seed as usize % 9;
    let spike = |_| i64::from(random.below(10) < share);
    let rows = (0..STEPS * INPUTS).map(spike).collect::<Vec<_>>();
    rows.chunks(INPUTS).map(<[_]>::to_vec).collect()
}

#[test]
fn networks_are_plain_integers_on_every_instruction_set() {
    for seed in 0..300 {
        let steps = [input(seed), input(seed + 7)];
        let expected = [0, 1].map(|sample| IntegerCase::new(seed).run(&steps[sample]));
        let file = IntegerCase::new(seed).file;
        for &isa in Isa::available() {
            let network = file.network(isa);
            let mut state = network.state(2).expect("a state");
            for step in 0..STEPS {
                let dense = steps.iter().flat_map(|steps| &steps[step]);
                let dense: Vec<_> = dense.map(|x| *x as f32).collect();
                let output = network
                    .step(&mut state, Input::Dense(&dense))
                    .expect("a step");
                for (sample, expected) in expected.iter().enumerate() {
                    let what = format!("{seed} on {isa:?} at {step}");
                    check(&network, &output, &expected[step], sample, &what);
                }
            }
        }
    }
}

#[test]
fn a_state_of_integers_goes_on_where_it_was_saved() {
    for seed in 0..20 {
        let (steps, file) = (input(seed), IntegerCase::new(seed).file);
        let expected = IntegerCase::new(seed).run(&steps);
        let network = file.network(Isa::Scalar);
        let mut state = network.state(1).expect("a state");
        for (step, expected) in steps.iter().zip(&expected) {
            let mut restored = network.state(1).expect("a state");
            let saved = network.save(&state).expect("its own");
            network.restore(&mut restored, &saved).expect("its own");
            state = restored;
            let dense: Vec<_> = step.iter().map(|x| *x as f32).collect();
            let output = network
                .step(&mut state, Input::Dense(&dense))
                .expect("a step");
            check(&network, &output, expected, 0, &format!("{seed}"));
        }
    }
}
