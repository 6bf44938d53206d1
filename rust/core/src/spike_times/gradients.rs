//! Where the gradients of a layer go.

use super::{Layer, Trains};
use crate::Error;

/// Where gradients go, each as long as what it is of.
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// Of [`Layer::weights`].
    pub weights: Option<&'a mut [f64]>,
    /// Of [`Layer::delays`].
    pub delays: Option<&'a mut [f64]>,
    /// Of the times of the input spikes.
    pub times: Option<&'a mut [f64]>,
    /// Of the weights of [`Layer::recurrent`].
    pub recurrent_weights: Option<&'a mut [f64]>,
    /// Of the delays of [`Layer::recurrent`].
    pub recurrent_delays: Option<&'a mut [f64]>,
}

impl Gradients<'_> {
    pub(super) fn check(&self, layer: &Layer<'_>, inputs: Trains<'_>) -> Result<(), Error> {
        let synapses = &[layer.neurons, layer.inputs][..];
        let among = &[layer.neurons, layer.neurons][..];
        for (out, sizes) in [
            (&self.weights, synapses),
            (&self.delays, synapses),
            (&self.times, &[inputs.times.len()][..]),
            (&self.recurrent_weights, among),
            (&self.recurrent_delays, among),
        ] {
            if let Some(out) = out {
                Error::check_length("gradients", out.len(), sizes)?;
            }
        }
        Ok(())
    }
}
