//! Layers in continuous time: hand-computed spikes, and gradients against finite differences.

use bitspike::spike_times::{
    Dynamics, Fired, Gradients, Layer, Recurrent, Trains, backward, forward,
};
use proptest::prelude::*;

fn layer<'a>(dynamics: Dynamics, weights: &'a [f64], neurons: usize) -> Layer<'a> {
    Layer {
        dynamics,
        weights,
        delays: None,
        recurrent: None,
        inputs: weights.len() / neurons.max(1),
        neurons,
        until: f64::INFINITY,
        limit: usize::MAX,
    }
}

fn dynamics(tau_mem: f64, tau_syn: f64) -> Dynamics {
    Dynamics {
        tau_mem,
        tau_syn,
        threshold: 1.0,
    }
}

/// Spikes of one sample, each of its own input.
fn run(layer: &Layer<'_>, times: &[f64]) -> Fired {
    let neurons: Vec<_> = (0..times.len() as i64).collect();
    let starts = [0, times.len() as i64];
    let inputs = Trains {
        starts: &starts,
        times,
        neurons: &neurons,
    };
    forward(layer, inputs).expect("spikes in order")
}

fn close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() < 2e-10 * wanted.abs().max(1.0)
}

#[test]
fn first_spikes_of_closed_forms() {
    let times = [0.0, 1.0, 2.5];
    for (constants, weights, wanted) in [
        ((5.0, 5.0), &[1.6, 1.4, 1.9][..], 2.8546009806),
        ((10.0, 5.0), &[1.6, 1.4, 1.9][..], 4.8668439545),
    ] {
        let layer = layer(dynamics(constants.0, constants.1), weights, 1);
        assert!(close(run(&layer, &times).times[0], wanted), "{constants:?}");
    }
    let endless = layer(dynamics(f64::INFINITY, 1.0), &[1.5, 0.9], 1);
    assert!(close(run(&endless, &[0.0, 0.3]).times[0], 0.6622729116));
}

/// `Σ t` of two spikes with four delayed inputs.
#[test]
fn two_spikes_with_delays() {
    let (weights, delays) = ([3.2, 2.9, 4.1, 2.5], [2.0, 4.0, 1.0, 3.0]);
    let layer = Layer {
        delays: Some(&delays),
        ..layer(dynamics(20.0, 5.0), &weights, 1)
    };
    let times = [1.0, 3.0, 6.0, 20.0];
    let fired = run(&layer, &times);
    assert_eq!(fired.times.len(), 2);
    assert!((fired.times[0] - 8.9311323).abs() < 1e-7);
    assert!((fired.times[1] - 25.6351513).abs() < 1e-7);
    let (mut to_weights, mut to_delays, mut to_times) = ([0.0; 4], [0.0; 4], [0.0; 4]);
    let inputs = Trains {
        starts: &[0, 4],
        times: &times,
        neurons: &[0, 1, 2, 3],
    };
    let gradients = Gradients {
        weights: Some(&mut to_weights),
        delays: Some(&mut to_delays),
        times: Some(&mut to_times),
        ..Gradients::default()
    };
    backward(&layer, inputs, &fired, &[1.0, 1.0], gradients).expect("spikes in order");
    let wanted = [-4.0710051, -4.1580826, -4.1580826, -2.8102462];
    assert!(
        to_weights
            .iter()
            .zip(wanted)
            .all(|(a, b)| (a - b).abs() < 1e-6),
        "{to_weights:?}"
    );
    let wanted = [-0.2621295, 0.1821174, 0.2574763, 1.8225357];
    assert!(
        to_delays
            .iter()
            .zip(wanted)
            .all(|(a, b)| (a - b).abs() < 1e-6),
        "{to_delays:?}"
    );
    assert_eq!(to_times, to_delays);
}

#[test]
fn a_neuron_that_stays_below_the_threshold_is_silent() {
    for tau_mem in [5.0, 10.0, f64::INFINITY] {
        let layer = layer(dynamics(tau_mem, 5.0), &[0.9], 1);
        assert!(run(&layer, &[0.0]).times.is_empty());
    }
}

#[test]
fn no_spike_is_beyond_the_end_or_the_limit() {
    let many = layer(dynamics(10.0, 5.0), &[60.0], 1);
    let all = run(&many, &[0.0]);
    assert!(all.times.len() > 3);
    let some = run(&Layer { limit: 2, ..many }, &[0.0]);
    assert_eq!(some.times, all.times[..2]);
    let until = all.times[2];
    let early = run(&Layer { until, ..many }, &[0.0]);
    assert!(early.times.len() >= 2 && early.times.iter().all(|&time| time <= until));
}

proptest! {
    /// At every spike the membrane, summed over all that arrived and all resets, is at the threshold.
    #[test]
    fn the_membrane_is_at_the_threshold_where_a_neuron_fires(
        tau_mem in prop_oneof![Just(5.0), 1.0..20.0f64],
        weights in prop::collection::vec(-1.0..6.0f64, 1..8),
        gaps in prop::collection::vec(0.0..4.0f64, 8),
    ) {
        let times: Vec<f64> = gaps.iter().scan(0.0, |t, gap| { *t += gap; Some(*t) }).collect();
        let constants = dynamics(tau_mem, 5.0);
        let layer = layer(constants, &weights, 1);
        let fired = run(&layer, &times[..weights.len()]);
        for (n, &spike) in fired.times.iter().enumerate() {
            let response = |t: f64| if (tau_mem - 5.0).abs() < 1e-12 {
                t / 5.0 * (-t / 5.0).exp()
            } else {
                5.0 / (tau_mem - 5.0) * ((-t / tau_mem).exp() - (-t / 5.0).exp())
            };
            let arrived = times.iter().zip(&weights).filter(|(time, _)| **time < spike);
            let risen: f64 = arrived.map(|(time, weight)| weight * response(spike - time)).sum();
            let before = fired.times[..n].iter();
            let fallen: f64 = before.map(|before| (-(spike - before) / tau_mem).exp()).sum();
            prop_assert!((risen - fallen - 1.0).abs() < 1e-6, "{}", risen - fallen);
        }
    }

    /// Gradients of a random sum of times, of two samples, where no spike appears or vanishes.
    #[test]
    fn gradients_are_finite_differences(
        tau_mem in prop_oneof![Just(5.0), Just(f64::INFINITY), 2.0..20.0f64],
        numbers in prop::collection::vec(0.0..1.0f64, 12 + 12 + 8 + 9 + 9),
        factors in prop::collection::vec(-1.0..1.0f64, 64),
        delayed: bool,
        comes_back in 0..3,
    ) {
        let scaled = |range: std::ops::Range<usize>, from: f64, to: f64| -> Vec<f64> {
            numbers[range].iter().map(|x| from + x * (to - from)).collect()
        };
        let mut times = scaled(24..32, 0.0, 6.0);
        times[..4].sort_by(f64::total_cmp);
        times[4..].sort_by(f64::total_cmp);
        let parameters = [
            scaled(0..12, 0.5, 6.0),
            scaled(12..24, 0.0, 3.0),
            times,
            scaled(32..41, -2.0, 2.0),
            scaled(41..50, 0.1, 3.0),
        ];
        let (neurons, starts) = ([0, 1, 2, 3, 2, 0, 1, 1], [0, 4, 8]);
        let with = |parameters: &[Vec<f64>; 5], found: Option<&mut [Vec<f64>; 5]>| {
            let [weights, delays, times, recurrent, recurrent_delays] = parameters;
            let back = Recurrent {
                weights: recurrent,
                delays: (comes_back == 2).then_some(recurrent_delays),
            };
            let layer = Layer {
                delays: delayed.then_some(delays),
                recurrent: (comes_back > 0).then_some(back),
                until: 30.0,
                limit: 3,
                ..layer(dynamics(tau_mem, 5.0), weights, 3)
            };
            let inputs = Trains { starts: &starts, times, neurons: &neurons };
            let fired = forward(&layer, inputs).expect("spikes in order");
            if let Some([weights, delays, times, recurrent, recurrent_delays]) = found {
                let gradients = Gradients {
                    weights: Some(weights),
                    delays: delayed.then_some(delays),
                    times: Some(times),
                    recurrent_weights: (comes_back > 0).then_some(recurrent),
                    recurrent_delays: (comes_back == 2).then_some(recurrent_delays),
                };
                let upstream = &factors[..fired.times.len()];
                backward(&layer, inputs, &fired, upstream, gradients).expect("spikes in order");
            }
            fired
        };
        let mut found = parameters.clone().map(|x| vec![0.0; x.len()]);
        let fired = with(&parameters, Some(&mut found));
        // Where a spike is about to vanish differences are not small.
        prop_assume!(fired.slopes.iter().all(|slope| *slope > 0.05));
        let loss = |fired: &Fired| -> f64 {
            fired.times.iter().zip(&factors).map(|(time, factor)| time * factor).sum()
        };
        let step = 1e-6;
        let meet = parameters[2].windows(2).any(|pair| (pair[1] - pair[0]).abs() < 4.0 * step);
        prop_assume!(!meet);
        for kind in 0..5 {
            for i in 0..found[kind].len() {
                let moved = |by: f64| {
                    let mut parameters = parameters.clone();
                    parameters[kind][i] += by;
                    with(&parameters, None)
                };
                let (up, down) = (moved(step), moved(-step));
                if up.neurons != fired.neurons || down.neurons != fired.neurons {
                    continue;
                }
                let difference = (loss(&up) - loss(&down)) / (2.0 * step);
                prop_assert!(
                    (found[kind][i] - difference).abs() < 2e-4 * difference.abs().max(1.0),
                    "{} {}: {} {}", kind, i, found[kind][i], difference
                );
            }
        }
    }

    /// Weights of 0 between neurons change nothing.
    #[test]
    fn a_recurrent_layer_without_weights_is_one_that_is_not(
        weights in prop::collection::vec(-1.0..6.0f64, 8),
        times in prop::collection::vec(0.0..6.0f64, 4),
    ) {
        let mut times = times;
        times.sort_by(f64::total_cmp);
        let layer = layer(dynamics(8.0, 5.0), &weights, 2);
        let back = Recurrent { weights: &[0.0; 4], delays: None };
        let (one, other) = (run(&layer, &times), run(&Layer { recurrent: Some(back), ..layer }, &times));
        prop_assert_eq!(&one.neurons, &other.neurons);
        for (a, b) in one.times.iter().zip(&other.times) {
            prop_assert!((a - b).abs() < 1e-7, "{} {}", a, b);
        }
    }
}
