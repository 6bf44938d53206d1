//! When the spikes of a sample arrive at a neuron.

use super::dynamics::{Decay, Dynamics};
use super::{Layer, Trains};
use std::borrow::Cow;

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
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) arrivals: Vec<Arrival>,
    /// What is left at each of the state at the one before.
    decays: Vec<Decay>,
}

impl Order {
    /// The arrivals at one neuron.
    fn of(layer: &Layer<'_>, inputs: Trains<'_>, sample: usize, neuron: usize) -> Self {
        let delays = layer.delays.map(|delays| layer.row(delays, neuron));
        let arrive = |event| {
            let input = inputs.neurons[event] as usize;
            let delay = delays.map_or(0.0, |delays| delays[input]);
            Arrival {
                time: inputs.times[event] + delay,
                event,
                input,
            }
        };
        let mut arrivals: Vec<_> = inputs.sample(sample).map(arrive).collect();
        if delays.is_some() {
            arrivals.sort_by(|a, b| a.time.total_cmp(&b.time));
        }
        let gaps = arrivals.windows(2);
        let gaps = gaps.map(|pair| layer.dynamics.decay(pair[1].time - pair[0].time));
        let decays = gaps.collect();
        Self { arrivals, decays }
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

/// The arrivals of a sample at all neurons.
#[derive(Debug)]
pub(super) enum Orders {
    /// The same at all, as there are no delays.
    Same(Order),
    /// Others at each.
    Each,
}

impl Orders {
    pub(super) fn of(layer: &Layer<'_>, inputs: Trains<'_>, sample: usize) -> Self {
        match layer.delays {
            None => Self::Same(Order::of(layer, inputs, sample, 0)),
            Some(_) => Self::Each,
        }
    }

    /// Those at one neuron.
    pub(super) fn at(
        &self,
        layer: &Layer<'_>,
        inputs: Trains<'_>,
        (sample, neuron): (usize, usize),
    ) -> Cow<'_, Order> {
        match self {
            Self::Same(order) => Cow::Borrowed(order),
            Self::Each => Cow::Owned(Order::of(layer, inputs, sample, neuron)),
        }
    }
}
