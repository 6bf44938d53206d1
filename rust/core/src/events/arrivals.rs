//! When the spikes of a sample arrive at a neuron.

use super::dynamics::{Decay, Dynamics};
use super::{Layer, Trains};

/// A spike of the input that arrives at a neuron.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) time: f64,
    /// The spike's place in the trains.
    pub(super) event: usize,
    /// Which input it is of.
    pub(super) input: usize,
}

/// Those of a sample at a neuron, in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) arrivals: Vec<Arrival>,
    /// What is left at each of the state at the one before.
    decays: Vec<Decay>,
    /// Of which sample these are, if of all its neurons.
    shared: Option<usize>,
}

impl Order {
    /// The arrivals at the next neuron. Without delays they are the same at all.
    pub(super) fn arrive(
        &mut self,
        layer: &Layer<'_>,
        inputs: Trains<'_>,
        sample: usize,
        neuron: usize,
    ) {
        if self.shared == Some(sample) {
            return;
        }
        let delays = layer.delays.map(|delays| layer.row(delays, neuron));
        self.shared = delays.is_none().then_some(sample);
        self.arrivals.clear();
        self.arrivals.extend(inputs.sample(sample).map(|event| {
            let input = inputs.neurons[event] as usize;
            let delay = delays.map_or(0.0, |delays| delays[input]);
            Arrival {
                time: inputs.times[event] + delay,
                event,
                input,
            }
        }));
        if delays.is_some() {
            self.arrivals.sort_by(|a, b| a.time.total_cmp(&b.time));
        }
        let gaps = self.arrivals.windows(2);
        let gaps = gaps.map(|pair| layer.dynamics.decay(pair[1].time - pair[0].time));
        self.decays.clear();
        self.decays.extend(gaps);
    }

    /// When arrival `i` is; infinite behind the last.
    pub(super) fn time(&self, i: usize) -> f64 {
        self.arrivals.get(i).map_or(f64::INFINITY, |at| at.time)
    }

    /// What is left at arrival `i` of the state at `clock`, not before the arrival in front of it.
    pub(super) fn decay(&self, dynamics: &Dynamics, i: usize, clock: f64) -> Decay {
        match i.checked_sub(1) {
            None => dynamics.decay(0.0),
            Some(before) if self.arrivals[before].time == clock => self.decays[before],
            Some(_) => dynamics.decay(self.arrivals[i].time - clock),
        }
    }

    /// What is left at `clock` of the state at arrival `i`, not after the next arrival.
    pub(super) fn until_next(&self, dynamics: &Dynamics, i: usize, clock: f64) -> Decay {
        match self.decays.get(i) {
            Some(decay) if self.time(i + 1) == clock => *decay,
            _ => dynamics.decay(clock - self.arrivals[i].time),
        }
    }
}
