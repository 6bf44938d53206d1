//! Whole sequences through layers whose spikes come back.

use crate::buffer::Buffer;
use crate::call::{run, to_python};
use crate::matmul::MatrixArguments;
use crate::sequence::{LayerArguments, View, optional};
use bitspike::recurrent::{
    Connection, Gradients, Layer, OutputGradients, Outputs, backward, forward,
};
use bitspike::registry::AnySurrogate;
use pyo3::prelude::*;

/// A connection and the recurrent current of the first step. The connection is a dense one with its
/// bias, or one to one.
#[derive(Debug, FromPyObject)]
pub(crate) struct FeedbackArguments(
    Option<(MatrixArguments, Option<Buffer>)>,
    Option<View>,
    View,
);

impl FeedbackArguments {
    fn layer<'a>(&self, neurons: &LayerArguments) -> PyResult<Layer<'a>> {
        let Self(dense, one_to_one, first) = self;
        let connection = match (dense, one_to_one) {
            (Some((weight, bias)), None) => Connection::Dense {
                weight: weight.matrix("recurrent weight")?,
                bias: bias.map(Buffer::read).transpose()?,
            },
            (None, Some(weight)) => Connection::OneToOne(weight.strided()?),
            _ => {
                return Err(pyo3::exceptions::PyValueError::new_err(
                    "a connection is either dense or one to one",
                ));
            }
        };
        Ok(Layer {
            neurons: neurons.layer()?,
            connection,
            first: first.strided()?,
        })
    }
}

/// Runs the layer; each output that is not None is filled.
#[pyfunction]
pub(crate) fn recurrent_forward(
    py: Python<'_>,
    neurons: LayerArguments,
    feedback: FeedbackArguments,
    packed: Option<Buffer>,
    states: Vec<Option<Buffer>>,
    last_spikes: Option<Buffer>,
    last: Vec<Option<Buffer>>,
) -> PyResult<()> {
    let outputs = Outputs {
        packed: packed.map(Buffer::write).transpose()?,
        states: optional(&states)?,
        last_spikes: last_spikes.map(Buffer::write).transpose()?,
        last: optional(&last)?,
    };
    let layer = feedback.layer(&neurons)?;
    run(py, neurons.work(), move |isa| forward(isa, &layer, outputs))
}

/// Sends the gradients of spikes, states, last spikes and last states back. `learned`, if given,
/// holds the outputs for the parameters, the threshold and the weight of a one-to-one connection.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a layer, a surrogate, what comes in, what goes out"
)]
pub(crate) fn recurrent_backward(
    py: Python<'_>,
    neurons: LayerArguments,
    feedback: FeedbackArguments,
    surrogate: (String, Vec<f32>),
    spikes: View,
    states: Vec<View>,
    last_spikes: View,
    last: Vec<View>,
    current: Buffer,
    initial: Vec<Option<Buffer>>,
    learned: Option<(Vec<Buffer>, Buffer, Option<Buffer>)>,
) -> PyResult<()> {
    let incoming = OutputGradients {
        spikes: spikes.strided()?,
        states: View::all(&states)?,
        last_spikes: last_spikes.strided()?,
        last: View::all(&last)?,
    };
    let mut gradients = Gradients {
        current: current.write()?,
        initial: optional(&initial)?,
        ..Gradients::default()
    };
    if let Some((parameters, threshold, one_to_one)) = learned {
        gradients.learnable = true;
        gradients.parameters = parameters
            .into_iter()
            .map(Buffer::write)
            .collect::<PyResult<_>>()?;
        gradients.threshold = threshold.write()?;
        gradients.one_to_one = one_to_one.map(Buffer::write).transpose()?;
    }
    let surrogate = AnySurrogate::new(&surrogate.0, &surrogate.1).map_err(to_python)?;
    let layer = feedback.layer(&neurons)?;
    run(py, neurons.work(), move |isa| {
        backward(isa, &layer, surrogate, &incoming, gradients)
    })
}
