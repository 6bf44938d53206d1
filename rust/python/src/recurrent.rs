//! Whole sequences through layers whose spikes come back.

use crate::buffer::{Memory, Written};
use crate::call::{run, to_python};
use crate::matmul::MatrixMemory;
use crate::sequence::{LayerArguments, LayerViews, Learned, slices, written};
use crate::tensor::Tensor;
use crate::view::{Constant, View};
use bitspike::recurrent::{
    Connection, Gradients, Layer, OutputGradients, Outputs, backward, forward,
};
use bitspike::registry::AnySurrogate;
use bitspike::sequence;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A connection and the recurrent current of the first step. The connection is a dense one, weight
/// and bias, or one to one.
#[derive(Debug, FromPyObject)]
pub(crate) struct FeedbackArguments<'py>(
    Option<(Tensor<'py>, Option<Tensor<'py>>)>,
    Option<Constant<'py>>,
    Option<Tensor<'py>>,
);

/// A connection with the memory of its tensors.
#[derive(Debug)]
enum ConnectionMemory<'py> {
    Dense {
        weight: MatrixMemory<'py>,
        bias: Option<Memory<'py, f32>>,
    },
    OneToOne(View<'py>),
}

/// A layer and its feedback, with the memory of their tensors.
#[derive(Debug)]
struct RecurrentViews<'py> {
    neurons: LayerViews<'py>,
    connection: ConnectionMemory<'py>,
    first: View<'py>,
}

impl<'py> RecurrentViews<'py> {
    fn of(neurons: &LayerArguments<'py>, feedback: &FeedbackArguments<'py>) -> PyResult<Self> {
        let neurons = neurons.views()?;
        let FeedbackArguments(dense, one_to_one, first) = feedback;
        let connection = match (dense, one_to_one) {
            (Some((weight, bias)), None) => ConnectionMemory::Dense {
                weight: MatrixMemory::of(weight, "recurrent weight")?,
                bias: bias
                    .as_ref()
                    .map(|bias| Memory::of(bias, "recurrent bias"))
                    .transpose()?,
            },
            (None, Some(weight)) => {
                ConnectionMemory::OneToOne(neurons.constant(weight, "recurrent weight")?)
            }
            _ => {
                let message = "a connection is either dense or one to one";
                return Err(PyValueError::new_err(message));
            }
        };
        let first = neurons.like_step(first, "first recurrent current")?;
        Ok(Self {
            neurons,
            connection,
            first,
        })
    }

    fn layer(&self) -> PyResult<Layer<'_>> {
        Ok(Layer {
            neurons: self.neurons.layer(),
            connection: match &self.connection {
                ConnectionMemory::Dense { weight, bias } => Connection::Dense {
                    weight: weight.matrix()?,
                    bias: bias.as_deref(),
                },
                ConnectionMemory::OneToOne(weight) => Connection::OneToOne(weight.strided()),
            },
            first: self.first.strided(),
        })
    }
}

/// Runs the layer; each output that is not None is filled.
#[pyfunction]
pub(crate) fn recurrent_forward(
    py: Python<'_>,
    neurons: LayerArguments<'_>,
    feedback: FeedbackArguments<'_>,
    packed: Option<Tensor<'_>>,
    states: Vec<Option<Tensor<'_>>>,
    last_spikes: Option<Tensor<'_>>,
    last: Vec<Option<Tensor<'_>>>,
) -> PyResult<()> {
    let views = RecurrentViews::of(&neurons, &feedback)?;
    let mut packed = packed.map(|x| Written::of(&x, "packed")).transpose()?;
    let mut fired = last_spikes
        .map(|x| Written::of(&x, "last_spikes"))
        .transpose()?;
    let (mut states, mut last) = (written(&states, "states")?, written(&last, "last")?);
    let outputs = Outputs {
        packed: packed.as_deref_mut(),
        states: slices(&mut states),
        last_spikes: fired.as_deref_mut(),
        last: slices(&mut last),
    };
    let (layer, work) = (views.layer()?, views.neurons.work());
    run(py, work, move |isa| forward(isa, &layer, outputs))
}

/// Sends the gradients of spikes, states, last spikes and last states back. `learned`, if given,
/// holds the outputs for the parameters and the threshold, and `one_to_one` that for the weight of a
/// one-to-one connection.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a layer, a surrogate, what comes in, what goes out"
)]
pub(crate) fn recurrent_backward<'py>(
    py: Python<'py>,
    neurons: LayerArguments<'py>,
    feedback: FeedbackArguments<'py>,
    surrogate: (String, Vec<f32>),
    spikes: Option<Tensor<'py>>,
    states: Vec<Option<Tensor<'py>>>,
    last_spikes: Option<Tensor<'py>>,
    last: Vec<Option<Tensor<'py>>>,
    current: Tensor<'py>,
    initial: Vec<Option<Tensor<'py>>>,
    learned: Option<(Vec<Tensor<'py>>, Tensor<'py>)>,
    one_to_one: Option<Tensor<'py>>,
) -> PyResult<()> {
    let surrogate = AnySurrogate::new(&surrogate.0, &surrogate.1).map_err(to_python)?;
    let views = RecurrentViews::of(&neurons, &feedback)?;
    let spikes = views
        .neurons
        .like_current(&spikes, "the gradient of spikes")?;
    let fired = views
        .neurons
        .like_step(&last_spikes, "the gradient of last spikes")?;
    let (states, last) = (
        views.neurons.of_states(&states)?,
        views.neurons.of_last(&last)?,
    );
    let incoming = OutputGradients {
        neurons: sequence::OutputGradients {
            spikes: spikes.strided(),
            states: View::all(&states),
            last: View::all(&last),
        },
        last_spikes: fired.strided(),
    };
    let mut current = Written::of(&current, "current")?;
    let mut initial = written(&initial, "initial")?;
    let learned = learned.map(|(parameters, threshold)| Learned::of(&parameters, &threshold, None));
    let mut learned = learned.transpose()?;
    let mut one_to_one = one_to_one
        .map(|x| Written::of(&x, "the gradient of a one-to-one weight"))
        .transpose()?;
    let gradients = Gradients {
        neurons: sequence::Gradients {
            current: Some(&mut current),
            initial: slices(&mut initial),
            learned: learned.as_mut().map(Learned::slices),
        },
        one_to_one: one_to_one.as_deref_mut(),
    };
    let (layer, work) = (views.layer()?, views.neurons.work());
    run(py, work, move |isa| {
        backward(isa, &layer, surrogate, &incoming, gradients)
    })
}
