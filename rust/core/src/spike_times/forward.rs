//! A layer through the events of all samples.

use super::arrivals::{Order, Orders};
use super::dynamics::{Spike, State};
use super::{Fired, Layer, Trains, recurrent};
use crate::Error;
use crate::parallel::{for_each, progress};

/// Runs a layer, and returns its spikes.
///
/// # Errors
/// [`Error::Length`], [`Error::OutOfRange`], or [`Error::Unordered`] if the spikes of a sample are not in
/// the order of their times.
pub fn forward(layer: &Layer<'_>, inputs: Trains<'_>) -> Result<Fired, Error> {
    layer.check(inputs)?;
    let mut samples = vec![Vec::new(); inputs.samples()];
    let items = samples.iter_mut().enumerate().collect();
    for_each(
        items,
        layer.work(inputs),
        |(sample, out): (usize, &mut Vec<Spike>)| match layer.recurrent {
            Some(_) => recurrent::fire(layer, inputs, sample, out),
            None => fire(layer, inputs, sample, out),
        },
    );
    let mut fired = Fired {
        starts: vec![0],
        ..Fired::default()
    };
    for spikes in samples {
        for spike in spikes {
            fired.times.push(spike.time);
            fired.neurons.push(spike.neuron as i64);
            fired.slopes.push(spike.slope);
        }
        fired.starts.push(fired.times.len() as i64);
    }
    Ok(fired)
}

/// The spikes of one sample, in the order of their times.
fn fire(layer: &Layer<'_>, inputs: Trains<'_>, sample: usize, out: &mut Vec<Spike>) {
    let orders = Orders::of(layer, inputs, sample);
    for neuron in 0..layer.neurons {
        let order = orders.at(layer, inputs, (sample, neuron));
        one(layer, neuron, &order, out);
        progress(8 * order.arrivals.len());
    }
    out.sort_by(|a, b| a.time.total_cmp(&b.time));
}

/// The spikes of one neuron.
fn one(layer: &Layer<'_>, neuron: usize, order: &Order, out: &mut Vec<Spike>) {
    let weights = layer.row(layer.weights, neuron);
    let dynamics = &layer.dynamics;
    let (mut state, mut clock, mut left) = (State::default(), f64::NAN, layer.limit);
    for (i, arrival) in order.arrivals.iter().enumerate() {
        if arrival.time >= layer.until || left == 0 {
            break;
        }
        state = state.after(&order.decay(dynamics, i, clock));
        state.current += weights[arrival.input];
        clock = arrival.time;
        let end = order.time(i + 1).min(layer.until);
        while left > 0
            && let Some((wait, slope)) = dynamics.next_spike(state, end - clock)
        {
            state = state.after(&dynamics.decay(wait));
            state.membrane = 0.0;
            clock += wait;
            left -= 1;
            out.push(Spike {
                time: clock,
                neuron,
                slope,
            });
        }
    }
}
