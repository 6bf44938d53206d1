//! Traces and the synapses that learn from them, against loops over all synapses.

use bitspike::simd::Isa;
use bitspike::spikes::layout::words;
use bitspike::tiling::Shape;
use bitspike::traces::{
    Decay, Learning, Moment, Pairs, Side, Trace, filter, learn, sum, weighted_sums,
};

/// Numbers that repeat, from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn number(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }

    /// Rows of bits, of which one in `rare` is set.
    fn spikes(&mut self, rows: usize, neurons: usize, rare: u64) -> Vec<u64> {
        let mut found = vec![0; rows * words(neurons)];
        for row in 0..rows {
            for neuron in 0..neurons {
                let bit = u64::from(self.next().is_multiple_of(rare));
                found[row * words(neurons) + neuron / 64] |= bit << (neuron % 64);
            }
        }
        found
    }
}

fn fires(spikes: &[u64], neurons: usize, row: usize, neuron: usize) -> bool {
    spikes[row * words(neurons) + neuron / 64] >> (neuron % 64) & 1 == 1
}

/// `P` and `D` of a synapse at a step.
fn sums(pairs: &Pairs<'_, f32>, t: usize, i: usize, j: usize) -> (f32, f32) {
    let (pre, post) = (pairs.pre, pairs.post);
    let (mut risen, mut fallen) = (0.0, 0.0);
    for row in t * pairs.samples..(t + 1) * pairs.samples {
        let (input, output) = (row * pre.neurons + j, row * post.neurons + i);
        if fires(post.spikes, post.neurons, row, i) {
            risen += post.gain.map_or(1.0, |gain| gain[output]) * pre.trace[input];
        }
        if fires(pre.spikes, pre.neurons, row, j) {
            fallen += post.trace[output] * pre.gain.map_or(1.0, |gain| gain[input]);
        }
    }
    (risen, fallen)
}

const SIZES: [[usize; 4]; 11] = [
    [0, 1, 3, 2],
    [3, 0, 3, 2],
    [3, 1, 0, 2],
    [3, 2, 3, 0],
    [1, 1, 1, 1],
    [7, 1, 70, 33],
    [7, 3, 70, 33],
    [7, 1, 70, 34],
    [5, 5, 129, 65],
    [5, 5, 129, 66],
    [4, 32, 16, 17],
];

#[test]
fn synapses_learn_what_a_loop_over_all_says() {
    let mut random = Random(7);
    for [steps, samples, inputs, outputs] in SIZES {
        for (rare, gained) in [(2, false), (20, false), (20, true)] {
            let rows = steps * samples;
            let spikes = [inputs, outputs].map(|neurons| random.spikes(rows, neurons, rare));
            let traces = [inputs, outputs].map(|neurons| random.numbers(rows * neurons));
            let gains = [inputs, outputs].map(|neurons| random.numbers(rows * neurons));
            let side = |which: usize, neurons| Side {
                neurons,
                spikes: &spikes[which],
                trace: &traces[which],
                gain: gained.then_some(&gains[which][..]),
            };
            let pairs = Pairs {
                steps,
                samples,
                pre: side(0, inputs),
                post: side(1, outputs),
            };
            let additive = outputs % 2 == 0;
            let rule = Learning {
                rate: 0.3,
                rise: [1.0, if additive { 0.0 } else { -0.9 }],
                fall: [0.1, if additive { 0.0 } else { 1.0 }],
                bounds: [0.05, 0.95],
            };
            let start = random.numbers(inputs * outputs);
            let start: Vec<f32> = start.iter().map(|w| w.clamp(0.05, 0.95)).collect();
            let factors = random.numbers(2 * inputs * outputs);
            let (rise, fall) = factors.split_at(inputs * outputs);
            let (mut learned, mut summed) = (start.clone(), start.clone());
            for i in 0..outputs {
                for j in 0..inputs {
                    let at = i * inputs + j;
                    for t in 0..steps {
                        let (risen, fallen) = sums(&pairs, t, i, j);
                        let w = learned[at];
                        let up = (rule.rise[0] + rule.rise[1] * w) * risen;
                        let down = (rule.fall[0] + rule.fall[1] * w) * fallen;
                        learned[at] = (w + rule.rate * (up - down)).clamp(0.05, 0.95);
                        summed[at] += rise[at] * risen - fall[at] * fallen;
                    }
                }
            }
            for &isa in Isa::available() {
                let mut found = start.clone();
                learn(isa, &pairs, rule, &mut found).expect("sizes fit");
                assert_eq!(
                    found, learned,
                    "{isa:?} {steps} {samples} {inputs} {outputs}"
                );
                let mut found = start.clone();
                sum(isa, &pairs, rise, fall, &mut found).expect("sizes fit");
                assert_eq!(
                    found, summed,
                    "{isa:?} {steps} {samples} {inputs} {outputs}"
                );
            }
        }
    }
}

#[test]
fn spikes_are_weighted_by_their_steps() {
    let mut random = Random(5);
    for [steps, samples, neurons, traces] in SIZES {
        let spikes = random.spikes(steps * samples, neurons, 3);
        let weights = random.numbers(traces * steps);
        let mut expected = vec![0.0; samples * traces * neurons];
        for (at, sum) in expected.iter_mut().enumerate() {
            let (sample, rest) = (at / (traces * neurons), at % (traces * neurons));
            let (trace, neuron) = (rest / neurons, rest % neurons);
            for t in 0..steps {
                if fires(&spikes, neurons, t * samples + sample, neuron) {
                    *sum += weights[trace * steps + t];
                }
            }
        }
        let shape = Shape {
            steps,
            samples,
            neurons,
        };
        for &isa in Isa::available() {
            let mut found = vec![f32::NAN; expected.len()];
            weighted_sums(isa, &spikes, shape, traces, &weights, &mut found).expect("sizes fit");
            assert_eq!(
                found, expected,
                "{isa:?} {steps} {samples} {neurons} {traces}"
            );
        }
    }
}

#[test]
fn traces_decay_and_jump() {
    let mut random = Random(3);
    let shape = Shape {
        steps: 6,
        samples: 2,
        neurons: 67,
    };
    let spikes = random.spikes(12, 67, 3);
    let before = random.numbers(2 * 67);
    for decay in [Decay::Factor(0.75), Decay::Euler(5.0)] {
        for nearest in [false, true] {
            for moment in [Moment::Before, Moment::After] {
                let (mut state, mut wanted) = (before.clone(), Vec::new());
                for t in 0..6 {
                    for (k, x) in state.iter_mut().enumerate() {
                        *x = match decay {
                            Decay::Factor(factor) => *x * factor,
                            Decay::Euler(tau) => *x - *x / tau,
                        };
                        if moment == Moment::Before {
                            wanted.push(*x);
                        }
                        if fires(&spikes, 67, t * 2 + k / 67, k % 67) {
                            *x = if nearest { 1.0 } else { *x + 1.0 };
                        }
                        if moment == Moment::After {
                            wanted.push(*x);
                        }
                    }
                }
                let trace = Trace { decay, nearest };
                for &isa in Isa::available() {
                    let (mut last, mut out) = (before.clone(), vec![0.0; 12 * 67]);
                    filter(isa, &spikes, shape, trace, moment, &mut last, &mut out)
                        .expect("sizes fit");
                    assert_eq!((out, last), (wanted.clone(), state.clone()));
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let isa = Isa::Scalar;
    let side = |spikes, trace| Side {
        neurons: 2,
        spikes,
        trace,
        gain: None,
    };
    let rule = Learning {
        rate: 1.0,
        rise: [1.0, 0.0],
        fall: [1.0, 0.0],
        bounds: [0.0, 1.0],
    };
    let error = |pre, post, weights: &mut [f32]| {
        let pairs = Pairs {
            steps: 1,
            samples: 1,
            pre,
            post,
        };
        learn(isa, &pairs, rule, weights)
            .expect_err("does not fit")
            .to_string()
    };
    let good = side(&[1], &[0.0, 0.0]);
    let mut weights = [0.0; 4];
    assert!(error(side(&[4], &[0.0, 0.0]), good, &mut weights).contains("beyond the 2 neurons"));
    assert!(error(side(&[1], &[0.0]), good, &mut weights).starts_with("traces of inputs"));
    assert!(error(good, side(&[1], &[0.0]), &mut weights).starts_with("traces of outputs"));
    assert!(error(good, good, &mut weights[..3]).starts_with("weights holds 3"));
    let short = Side {
        gain: Some(&[1.0]),
        ..good
    };
    assert!(error(short, good, &mut weights).starts_with("gains of inputs"));
}
