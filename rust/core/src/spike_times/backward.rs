//! The gradients of a layer, through the events of all samples in reverse.

use super::arrivals::{Order, Orders};
use super::dynamics::State;
use super::gradients::Gradients;
use super::{Fired, Layer, Trains, recurrent};
use crate::Error;
use crate::parallel::for_each;
use core::ops::Range;

/// Neurons that share a sum over times. Their number decides in which order times are summed, and not
/// that of the threads.
const GROUP: usize = 16;

/// Some neurons and what they write.
struct Group<'a> {
    neurons: Range<usize>,
    weights: Option<&'a mut [f64]>,
    delays: Option<&'a mut [f64]>,
    times: Vec<f64>,
}

/// Sends the gradients of the times of a layer's spikes, one for each of `fired`, back.
///
/// # Errors
/// As [`forward`](super::forward()).
pub fn backward(
    layer: &Layer<'_>,
    inputs: Trains<'_>,
    fired: &Fired,
    upstream: &[f64],
    gradients: Gradients<'_>,
) -> Result<(), Error> {
    layer.check(inputs)?;
    fired.trains().check(layer.neurons)?;
    Error::check_length("upstream", upstream.len(), &[fired.times.len()])?;
    Error::check_length("slopes", fired.slopes.len(), &[fired.times.len()])?;
    Error::check_length("starts", fired.starts.len(), &[inputs.samples() + 1])?;
    gradients.check(layer, inputs)?;
    if layer.recurrent.is_some() {
        recurrent::backward(layer, inputs, fired, upstream, gradients);
        return Ok(());
    }
    let Gradients {
        weights,
        delays,
        times,
        ..
    } = gradients;
    let events = inputs.times.len();
    let size = GROUP * layer.inputs.max(1);
    let mut weights = weights.map(|out| out.chunks_mut(size));
    let mut delays = delays.map(|out| out.chunks_mut(size));
    let wanted = if times.is_some() { events } else { 0 };
    let mut groups: Vec<_> = (0..layer.neurons)
        .step_by(GROUP)
        .map(|first| Group {
            neurons: first..layer.neurons.min(first + GROUP),
            weights: weights.as_mut().and_then(Iterator::next),
            delays: delays.as_mut().and_then(Iterator::next),
            times: vec![0.0; wanted],
        })
        .collect();
    let spikes = Spikes::of(fired, layer.neurons);
    let samples = 0..inputs.samples();
    let orders: Vec<_> = samples
        .map(|sample| Orders::of(layer, inputs, sample))
        .collect();
    for_each(
        groups.iter_mut().collect(),
        layer.work(inputs),
        |group: &mut Group<'_>| {
            group.reverse(layer, inputs, (&orders, &spikes), fired, upstream);
        },
    );
    if let Some(out) = times {
        out.fill(0.0);
        for group in groups {
            out.iter_mut()
                .zip(group.times)
                .for_each(|(sum, own)| *sum += own);
        }
    }
    Ok(())
}

/// The spikes of each neuron in each sample.
struct Spikes {
    /// Where those of a neuron in a sample begin, `[samples · neurons + 1]`.
    starts: Vec<usize>,
    /// Places in the trains.
    places: Vec<usize>,
}

impl Spikes {
    fn of(fired: &Fired, neurons: usize) -> Self {
        let trains = fired.trains();
        let mut starts = vec![0; trains.samples() * neurons + 1];
        let rows = |sample: usize| trains.sample(sample).map(move |place| (sample, place));
        let all = || (0..trains.samples()).flat_map(rows);
        let row =
            |(sample, place): (usize, usize)| sample * neurons + trains.neurons[place] as usize;
        all().for_each(|at| starts[row(at) + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let (mut next, mut places) = (starts.clone(), vec![0; fired.times.len()]);
        for at in all() {
            let slot = &mut next[row(at)];
            places[*slot] = at.1;
            *slot += 1;
        }
        Self { starts, places }
    }

    fn row(&self, row: usize) -> &[usize] {
        &self.places[self.starts[row]..self.starts[row + 1]]
    }
}

impl Group<'_> {
    fn reverse(
        &mut self,
        layer: &Layer<'_>,
        inputs: Trains<'_>,
        (orders, spikes): (&[Orders], &Spikes),
        fired: &Fired,
        upstream: &[f64],
    ) {
        for out in [&mut self.weights, &mut self.delays].into_iter().flatten() {
            out.fill(0.0);
        }
        for (sample, orders) in orders.iter().enumerate() {
            for neuron in self.neurons.clone() {
                let own = spikes.row(sample * layer.neurons + neuron);
                if !own.is_empty() {
                    let order = orders.at(layer, inputs, (sample, neuron));
                    let spikes = own.iter().map(|&place| Spike {
                        time: fired.times[place],
                        slope: fired.slopes[place],
                        gradient: upstream[place],
                    });
                    self.one(layer, neuron, &order, spikes.rev());
                }
            }
        }
    }

    /// A neuron through a sample, from its last spike to the first arrival.
    fn one(
        &mut self,
        layer: &Layer<'_>,
        neuron: usize,
        order: &Order,
        spikes: impl Iterator<Item = Spike>,
    ) {
        let dynamics = &layer.dynamics;
        let first = (neuron - self.neurons.start) * layer.inputs;
        let mut spikes = spikes.peekable();
        let mut clock = spikes.peek().map_or(0.0, |spike| spike.time);
        // The gradient of the state after what happened at the clock.
        let mut gradient = State::default();
        for (i, arrival) in order.arrivals.iter().enumerate().rev() {
            // Where a spike and an arrival meet, the spike came first.
            while let Some(spike) = spikes.next_if(|spike| spike.time > arrival.time) {
                gradient = gradient.before(&dynamics.decay(clock - spike.time));
                gradient = dynamics.before_spike(gradient, spike.slope, spike.gradient);
                clock = spike.time;
            }
            if arrival.time > clock {
                continue;
            }
            gradient = gradient.before(&order.until_next(dynamics, i, clock));
            clock = arrival.time;
            let synapse = first + arrival.input;
            let weight = layer.weights[neuron * layer.inputs + arrival.input];
            let later = dynamics.arrival_gradient(gradient);
            if let Some(out) = &mut self.weights {
                out[synapse] += gradient.current;
            }
            if let Some(out) = &mut self.delays {
                out[synapse] += weight * later;
            }
            if let Some(out) = self.times.get_mut(arrival.event) {
                *out += weight * later;
            }
        }
    }
}

/// A spike that gradients go through.
struct Spike {
    time: f64,
    slope: f64,
    /// Of its time.
    gradient: f64,
}
