//! When neurons fire for the first, second, … time.

use crate::{LARGE, dense, packed};
use bitspike::Error;
use bitspike::simd::Isa;
use bitspike::spikes::{spike_times, spike_times_gradient};
use proptest::prelude::*;

/// Times `[count, samples · neurons]`, read off one neuron after the other.
fn expected_times(dense: &[bool], steps: usize, each: usize, count: usize) -> Vec<f32> {
    let mut times = vec![(steps - 1) as f32; count * each];
    for neuron in 0..each {
        let fires = (0..steps).filter(|step| dense[step * each + neuron]);
        for (n, step) in fires.take(count).enumerate() {
            times[n * each + neuron] = step as f32;
        }
    }
    times
}

fn times_match(dense: &[bool], [steps, samples]: [usize; 2], neurons: usize, count: usize) {
    let each = samples * neurons;
    let words = packed(dense, steps * samples, neurons);
    let expected = expected_times(dense, steps, each, count);
    let grad: Vec<_> = (0..count * each).map(|i| i as f32 - 2.5).collect();
    let mut to_spikes = vec![0.0; steps * each];
    for (i, grad) in grad.iter().enumerate() {
        to_spikes[expected[i] as usize * each + i % each] -= grad;
    }
    for &isa in Isa::available() {
        let mut times = vec![9.0; count * each];
        spike_times(isa, &words, [steps, samples], neurons, &mut times).expect("the lengths fit");
        assert_eq!(times, expected, "{isa:?}");
    }
    let mut found = vec![9.0; steps * each];
    spike_times_gradient(&expected, &grad, [steps, each], &mut found).expect("the lengths fit");
    assert_eq!(found, to_spikes);
}

#[test]
fn long_trains_and_large_tensors_are_read() {
    for steps in [1, 254, 255, 256, 511, 1000] {
        // Sample 0 fires at the last step only, sample 1 never, sample 2 always.
        let fires = |i: usize| match i / 70 % 3 {
            0 => i / 210 == steps - 1,
            sample => sample == 2,
        };
        let dense: Vec<_> = (0..steps * 210).map(fires).collect();
        times_match(&dense, [steps, 3], 70, 2);
    }
    let (rows, neurons) = LARGE;
    times_match(&dense(rows * neurons), [rows / 2, 2], neurons, 3);
}

#[test]
fn wrong_lengths_are_named() {
    let isa = Isa::Scalar;
    let length = |what, found, expected| {
        Err(Error::Length {
            what,
            found,
            expected,
        })
    };
    let times = |words: &[u64], shape, times: &mut [f32]| spike_times(isa, words, shape, 3, times);
    assert_eq!(
        times(&[0; 3], [2, 2], &mut [0.0; 6]),
        length("spikes", 3, 4)
    );
    assert_eq!(times(&[0; 4], [2, 2], &mut [0.0; 7]), length("times", 7, 6));
    assert_eq!(times(&[], [0, 2], &mut [0.0; 6]), length("steps", 0, 1));
    assert_eq!(times(&[], [2, 0], &mut [0.0; 6]), length("times", 6, 0));
    assert_eq!(times(&[], [0, 2], &mut []), Ok(()));

    let gradient = |times: &[f32], grad: &[f32], to_spikes: &mut [f32]| {
        spike_times_gradient(times, grad, [2, 3], to_spikes)
    };
    let (three, six) = ([0.0; 3], [0.0; 6]);
    assert_eq!(
        gradient(&three, &three, &mut [0.0; 5]),
        length("to_spikes", 5, 6)
    );
    assert_eq!(
        gradient(&six[..5], &three, &mut [0.0; 6]),
        length("times", 5, 3)
    );
    assert_eq!(gradient(&six, &three, &mut [0.0; 6]), length("grad", 3, 6));
}

proptest! {
    #[test]
    fn random_trains_are_read(
        (shape, neurons, count, dense) in (1..20usize, 0..12usize, 0..150usize, 0..4usize)
            .prop_flat_map(|(steps, samples, neurons, count)| {
                let spike = prop::bool::weighted(0.2);
                let dense = prop::collection::vec(spike, steps * samples * neurons);
                (Just([steps, samples]), Just(neurons), Just(count), dense)
            })
    ) {
        times_match(&dense, shape, neurons, count);
    }
}
