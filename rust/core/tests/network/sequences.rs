//! Step by step as over whole sequences.

use crate::case::{Case, STEPS};
use crate::layers::layers;
use bitspike::network::{Input, Network, Output, State};
use bitspike::simd::Isa;
use bitspike::spikes::layout::words;
use proptest::prelude::*;

/// The bits of numbers; all NaN are one.
pub(crate) fn bits(numbers: &[f32]) -> Vec<u32> {
    let canonical = |x: &f32| if x.is_nan() { f32::NAN } else { *x }.to_bits();
    numbers.iter().map(canonical).collect()
}

/// Compares a step with what sequences gave.
fn check(case: &Case, output: &Output<'_>, step: usize) {
    for expected in &case.expected {
        let row = case.samples * words(expected.neurons);
        let spikes = output.spikes(&expected.spikes).expect("spikes");
        assert_eq!(
            spikes,
            &expected.packed[step * row..][..row],
            "{} at {step}",
            expected.spikes
        );
        let Some((name, membrane)) = &expected.membrane else {
            continue;
        };
        for sample in 0..case.samples {
            let place = (step * case.samples + sample) * expected.neurons;
            let found = output.numbers(name, sample).expect("numbers");
            let expected = &membrane[place..][..expected.neurons];
            assert_eq!(bits(found), bits(expected), "{name} at {step}");
        }
    }
}

/// Runs some steps of the input of a case.
fn run(case: &Case, network: &Network, state: &mut State, steps: std::ops::Range<usize>) {
    let row = case.samples * words(72);
    for step in steps {
        let input = Input::Words(&case.input[step * row..][..row]);
        let output = network.step(state, input).expect("a step");
        check(case, &output, step);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn steps_are_the_sequence_kernels_on_every_instruction_set(
        layers in layers(), samples in 1..3_usize, seed in any::<u64>(),
    ) {
        let case = Case::new(Isa::Scalar, &layers, samples, seed);
        for &isa in Isa::available() {
            let network = case.file.network(isa);
            let mut state = network.state(samples).expect("a state");
            run(&case, &network, &mut state, 0..STEPS);
        }
    }

    #[test]
    fn a_state_saved_and_restored_at_any_step_goes_on_alike(
        layers in layers(), seed in any::<u64>(),
    ) {
        let case = Case::new(Isa::Scalar, &layers, 2, seed);
        let network = case.file.network(Isa::Avx2);
        // Another instruction set saves the same.
        let other = case.file.network(Isa::Scalar);
        let mut state = network.state(2).expect("a state");
        for step in 0..STEPS {
            let saved = network.save(&state).expect("its own");
            let mut restored = other.state(2).expect("a state");
            other.restore(&mut restored, &saved).expect("its own");
            prop_assert_eq!(&other.save(&restored).expect("its own"), &saved);
            run(&case, &other, &mut restored, step..STEPS);
            run(&case, &network, &mut state, step..step + 1);
        }
        state.reset();
        run(&case, &network, &mut state, 0..STEPS);
    }

    #[test]
    fn a_batch_is_its_samples(layers in layers(), samples in 2..5_usize, seed in any::<u64>()) {
        let case = Case::new(Isa::Scalar, &layers, samples, seed);
        let network = case.file.network(Isa::Avx2);
        let mut batch = network.state(samples).expect("a state");
        let mut singles = vec![network.state(1).expect("a state"); samples];
        for step in 0..STEPS {
            let row = samples * words(72);
            let input = &case.input[step * row..][..row];
            let together = network.step(&mut batch, Input::Words(input)).expect("a step");
            for (sample, (single, input)) in singles.iter_mut().zip(input.chunks(words(72))).enumerate() {
                let alone = network.step(single, Input::Words(input)).expect("a step");
                for expected in &case.expected {
                    let row = words(expected.neurons);
                    let spikes = &together.spikes(&expected.spikes).expect("spikes")[sample * row..];
                    prop_assert_eq!(&spikes[..row], alone.spikes(&expected.spikes).expect("spikes"));
                }
                let name = &case.expected.last().map_or("x", |last| &last.spikes);
                prop_assert_eq!(together.counts(name, sample), alone.counts(name, 0));
            }
        }
    }
}
