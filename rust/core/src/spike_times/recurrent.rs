//! Layers whose spikes come back: all neurons go through time together, from event to event.

use super::dynamics::{Spike, State};
use super::gradients::Gradients;
use super::{Fired, Layer, Trains};
use crate::parallel::{for_each, progress};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A spike that arrives at a neuron.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    time: f64,
    neuron: usize,
    /// Of its own spikes, or of the input's.
    own: bool,
    /// The spike's place among these.
    place: usize,
    /// The synapse's place among the weights.
    synapse: usize,
}

impl Layer<'_> {
    fn weight(&self, arrival: &Arrival) -> f64 {
        match self.recurrent {
            Some(recurrent) if arrival.own => recurrent.weights[arrival.synapse],
            _ => self.weights[arrival.synapse],
        }
    }

    /// When a spike arrives everywhere.
    fn arrivals(
        &self,
        time: f64,
        (own, neuron, place): (bool, usize, usize),
    ) -> impl Iterator<Item = Arrival> {
        let (row, delays) = match self.recurrent {
            Some(recurrent) if own => (self.neurons, recurrent.delays),
            _ => (self.inputs, self.delays),
        };
        (0..self.neurons).map(move |to| {
            let synapse = to * row + neuron;
            Arrival {
                time: time + delays.map_or(0.0, |delays| delays[synapse]),
                neuron: to,
                own,
                place,
                synapse,
            }
        })
    }

    /// All spikes of the inputs of a sample, wherever they arrive.
    fn input_arrivals(&self, inputs: Trains<'_>, sample: usize) -> Vec<Arrival> {
        let places = inputs.sample(sample);
        let of = |place: usize| {
            let from = (false, inputs.neurons[place] as usize, place);
            self.arrivals(inputs.times[place], from)
        };
        places.flat_map(of).collect()
    }
}

/// The earliest first, in a heap.
#[derive(Debug)]
struct Pending(Arrival);

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.time.total_cmp(&self.0.time)
    }
}
impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Pending {}

/// A neuron on its way.
#[derive(Clone, Copy, Debug)]
struct Running {
    state: State,
    /// When it was in this state.
    clock: f64,
    /// When it fires and with which slope, if nothing arrives before.
    next: Option<(f64, f64)>,
    /// How often it may still fire.
    left: usize,
}

impl Running {
    fn go_to(&mut self, layer: &Layer<'_>, time: f64) {
        self.state = self.state.after(&layer.dynamics.decay(time - self.clock));
        self.clock = time;
    }

    fn foresee(&mut self, layer: &Layer<'_>) {
        let within = layer.until - self.clock;
        let next = layer.dynamics.next_spike(self.state, within);
        self.next = next
            .filter(|_| self.left > 0)
            .map(|(wait, slope)| (self.clock + wait, slope));
    }
}

/// The spikes of one sample, in the order of their times.
pub(super) fn fire(layer: &Layer<'_>, inputs: Trains<'_>, sample: usize, out: &mut Vec<Spike>) {
    let arrivals = layer.input_arrivals(inputs, sample);
    let mut pending: BinaryHeap<_> = arrivals.into_iter().map(Pending).collect();
    let start = Running {
        state: State::default(),
        clock: pending.peek().map_or(0.0, |first| first.0.time),
        next: None,
        left: layer.limit,
    };
    let mut neurons = vec![start; layer.neurons];
    loop {
        progress(layer.neurons);
        let fires = neurons
            .iter()
            .enumerate()
            .filter_map(|(i, at)| Some((at.next?, i)));
        let earliest = fires.min_by(|a, b| a.0.0.total_cmp(&b.0.0));
        let arrives = pending.peek().map_or(f64::INFINITY, |first| first.0.time);
        match earliest {
            Some(((time, slope), neuron)) if time <= arrives => {
                let at = &mut neurons[neuron];
                at.go_to(layer, time);
                at.state.membrane = 0.0;
                at.left -= 1;
                at.foresee(layer);
                pending.extend(layer.arrivals(time, (true, neuron, out.len())).map(Pending));
                out.push(Spike {
                    time,
                    neuron,
                    slope,
                });
            }
            _ if arrives < layer.until => {
                let Some(Pending(arrival)) = pending.pop() else {
                    break;
                };
                let at = &mut neurons[arrival.neuron];
                at.go_to(layer, arrival.time);
                at.state.current += layer.weight(&arrival);
                at.foresee(layer);
            }
            _ => break,
        }
    }
}

/// Samples that share their sums. Their number decides in which order gradients are summed, and not that
/// of the threads.
const GROUPS: usize = 8;

/// The gradients of some samples.
#[derive(Default)]
struct Sums {
    weights: Vec<f64>,
    delays: Vec<f64>,
    times: Vec<f64>,
    recurrent_weights: Vec<f64>,
    recurrent_delays: Vec<f64>,
}

/// Sends gradients back: see [`backward`](super::backward()), which has checked all.
pub(super) fn backward(
    layer: &Layer<'_>,
    inputs: Trains<'_>,
    fired: &Fired,
    upstream: &[f64],
    gradients: Gradients<'_>,
) {
    let samples: Vec<_> = (0..inputs.samples()).collect();
    let sizes = samples.len().div_ceil(GROUPS).max(1);
    let zeros = |out: &Option<&mut [f64]>| vec![0.0; out.as_ref().map_or(0, |out| out.len())];
    let mut groups: Vec<_> = samples
        .chunks(sizes)
        .map(|samples| {
            let sums = Sums {
                weights: zeros(&gradients.weights),
                delays: zeros(&gradients.delays),
                times: zeros(&gradients.times),
                recurrent_weights: zeros(&gradients.recurrent_weights),
                recurrent_delays: zeros(&gradients.recurrent_delays),
            };
            (samples, sums)
        })
        .collect();
    let items = groups.iter_mut().collect();
    for_each(
        items,
        layer.work(inputs),
        |(samples, sums): &mut (&[usize], Sums)| {
            for &sample in *samples {
                sums.reverse(layer, inputs, fired, upstream, sample);
            }
        },
    );
    let outs = [
        gradients.weights,
        gradients.delays,
        gradients.times,
        gradients.recurrent_weights,
        gradients.recurrent_delays,
    ];
    for (i, out) in outs.into_iter().enumerate() {
        if let Some(out) = out {
            out.fill(0.0);
            for (_, sums) in &groups {
                let own = sums.all()[i];
                out.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
            }
        }
    }
}

impl Sums {
    fn all(&self) -> [&Vec<f64>; 5] {
        [
            &self.weights,
            &self.delays,
            &self.times,
            &self.recurrent_weights,
            &self.recurrent_delays,
        ]
    }

    /// A sample, from its last spike to its first arrival.
    fn reverse(
        &mut self,
        layer: &Layer<'_>,
        inputs: Trains<'_>,
        fired: &Fired,
        upstream: &[f64],
        sample: usize,
    ) {
        let dynamics = &layer.dynamics;
        let spikes = fired.trains().sample(sample);
        let Some(last) = spikes.clone().last() else {
            return;
        };
        let end = fired.times[last];
        let mut to_times = upstream[spikes.clone()].to_vec();
        let mut arrivals = layer.input_arrivals(inputs, sample);
        for place in spikes.clone() {
            let from = (true, fired.neurons[place] as usize, place);
            arrivals.extend(layer.arrivals(fired.times[place], from));
        }
        arrivals.retain(|arrival| arrival.time <= end);
        arrivals.sort_by(|a, b| b.time.total_cmp(&a.time));
        // The gradient of each state behind what happened at its clock.
        let mut neurons = vec![(State::default(), end); layer.neurons];
        let mut arrivals = arrivals.into_iter().peekable();
        for place in spikes.clone().rev() {
            let time = fired.times[place];
            // What a spike sends at once arrives behind it.
            while let Some(arrival) = arrivals.next_if(|arrival| arrival.time >= time) {
                self.arrive(layer, &arrival, &mut neurons, (spikes.start, &mut to_times));
            }
            let (gradient, clock) = &mut neurons[fired.neurons[place] as usize];
            let there = gradient.before(&dynamics.decay(*clock - time));
            let to_time = to_times[place - spikes.start];
            *gradient = dynamics.before_spike(there, fired.slopes[place], to_time);
            *clock = time;
        }
        for arrival in arrivals {
            self.arrive(layer, &arrival, &mut neurons, (spikes.start, &mut to_times));
        }
    }

    /// What the state behind an arrival sends to its synapse and the time of its spike.
    fn arrive(
        &mut self,
        layer: &Layer<'_>,
        arrival: &Arrival,
        neurons: &mut [(State, f64)],
        (first, to_times): (usize, &mut [f64]),
    ) {
        let (gradient, clock) = &mut neurons[arrival.neuron];
        *gradient = gradient.before(&layer.dynamics.decay(*clock - arrival.time));
        *clock = arrival.time;
        let later = layer.weight(arrival) * layer.dynamics.arrival_gradient(*gradient);
        let (weights, delays, time) = if arrival.own {
            let time = &mut to_times[arrival.place - first];
            (
                &mut self.recurrent_weights,
                &mut self.recurrent_delays,
                Some(time),
            )
        } else {
            let time = self.times.get_mut(arrival.place);
            (&mut self.weights, &mut self.delays, time)
        };
        for (out, share) in [
            (weights.get_mut(arrival.synapse), gradient.current),
            (delays.get_mut(arrival.synapse), later),
            (time, later),
        ] {
            out.into_iter().for_each(|sum| *sum += share);
        }
    }
}
