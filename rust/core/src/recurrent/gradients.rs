//! The gradients that backward takes, and those that it writes.

use super::{Connection, Layer};
use crate::Error;
use crate::sequence;
use crate::tiling::Strided;

/// The gradients that come in.
#[derive(Clone, Debug)]
pub struct OutputGradients<'a> {
    /// Of the spikes and states.
    pub neurons: sequence::OutputGradients<'a>,
    /// Of the spikes of the last step, `[B, N]`, beside what `neurons` says of them.
    pub last_spikes: Strided<'a>,
}

/// Where the gradients go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// Of the neurons and what drives them. That of the current is at its first step the gradient of
    /// the first recurrent current, and at those that follow that of what came back; it is needed in
    /// any case, so that `None` saves no time. That of the graded factor, which is not used, is 0.
    pub neurons: sequence::Gradients<'a>,
    /// Of the weight of a one-to-one connection, in the layout of its view; not of what the first
    /// recurrent current owes to it.
    pub one_to_one: Option<&'a mut [f32]>,
}

impl OutputGradients<'_> {
    /// Checks every view against the layer.
    pub(super) fn check(&self, layer: &Layer<'_>) -> Result<(), Error> {
        let neurons = &layer.neurons;
        self.neurons.check(neurons.shape, neurons.initial.len())?;
        let once = layer.neurons.shape.once();
        self.last_spikes.check("gradient of last spikes", once)
    }
}

impl Gradients<'_> {
    /// Checks every length against the layer.
    pub(super) fn check(&self, layer: &Layer<'_>) -> Result<(), Error> {
        self.neurons.check(&layer.neurons)?;
        let weights = match &layer.connection {
            Connection::Dense { .. } => 0,
            Connection::OneToOne(weight) => weight.data.len(),
        };
        self.one_to_one.as_ref().map_or(Ok(()), |out| {
            Error::check_length("gradient of a one-to-one weight", out.len(), &[weights])
        })
    }
}
