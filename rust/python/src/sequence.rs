//! Whole sequences through a layer of neurons.

use crate::buffer::Buffer;
use crate::call::{run, to_python};
use bitspike::neuron::{Mechanism, Reset};
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence::{
    Gradients, Layer, OutputGradients, Outputs, Shape, Strided, backward, forward,
};
use pyo3::prelude::*;

/// A strided view `[T, B, N]`: its memory, the strides of time and sample, and whether each neuron
/// has its own value.
#[derive(Clone, Copy, Debug, FromPyObject)]
pub(crate) struct View(Buffer, usize, usize, bool);

impl View {
    pub(crate) fn strided<'a>(self) -> PyResult<Strided<'a>> {
        let Self(buffer, time, sample, per_neuron) = self;
        Ok(Strided {
            data: buffer.read()?,
            time,
            sample,
            per_neuron,
        })
    }

    pub(crate) fn all<'a>(views: &[Self]) -> PyResult<Vec<Strided<'a>>> {
        views.iter().map(|view| view.strided()).collect()
    }
}

/// A layer as Python describes it: neuron, reset mechanism, whether the reset is immediate,
/// `(T, B, N)`, current, parameters, threshold, graded factor, initial states.
#[derive(Debug, FromPyObject)]
pub(crate) struct LayerArguments(
    String,
    String,
    bool,
    (usize, usize, usize),
    View,
    Vec<View>,
    View,
    View,
    Vec<View>,
);

impl LayerArguments {
    pub(crate) fn layer<'a>(&self) -> PyResult<Layer<'a>> {
        let Self(
            neuron,
            mechanism,
            immediate,
            shape,
            current,
            parameters,
            threshold,
            graded,
            initial,
        ) = self;
        let (steps, samples, neurons) = *shape;
        let mechanism = Mechanism::parse(mechanism).map_err(to_python)?;
        Ok(Layer {
            neuron: NeuronKind::parse(neuron).map_err(to_python)?,
            reset: Reset {
                mechanism,
                immediate: *immediate,
            },
            shape: Shape {
                steps,
                samples,
                neurons,
            },
            current: current.strided()?,
            parameters: View::all(parameters)?,
            threshold: threshold.strided()?,
            graded_factor: graded.strided()?,
            initial: View::all(initial)?,
        })
    }

    /// Elementary steps of the call.
    pub(crate) fn work(&self) -> usize {
        let (steps, samples, neurons) = self.3;
        steps.saturating_mul(samples).saturating_mul(neurons)
    }
}

pub(crate) fn optional<'a>(buffers: &[Option<Buffer>]) -> PyResult<Vec<Option<&'a mut [f32]>>> {
    buffers
        .iter()
        .map(|buffer| buffer.map(Buffer::write).transpose())
        .collect()
}

/// Runs the layer; each output that is not None is filled.
#[pyfunction]
pub(crate) fn sequence_forward(
    py: Python<'_>,
    layer: LayerArguments,
    packed: Option<Buffer>,
    dense: Option<Buffer>,
    states: Vec<Option<Buffer>>,
    last: Vec<Option<Buffer>>,
) -> PyResult<()> {
    let outputs = Outputs {
        packed: packed.map(Buffer::write).transpose()?,
        dense: dense.map(Buffer::write).transpose()?,
        states: optional(&states)?,
        last: optional(&last)?,
    };
    let arguments = layer.layer()?;
    run(py, layer.work(), move |isa| {
        forward(isa, &arguments, outputs)
    })
}

/// Sends the gradients of spikes, states and last states back. `learned`, if given, holds the
/// outputs for the parameters, the threshold and the graded factor.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a layer, a surrogate, what comes in, what goes out"
)]
pub(crate) fn sequence_backward(
    py: Python<'_>,
    layer: LayerArguments,
    surrogate: (String, Vec<f32>),
    spikes: View,
    states: Vec<View>,
    last: Vec<View>,
    current: Option<Buffer>,
    initial: Vec<Option<Buffer>>,
    learned: Option<(Vec<Buffer>, Buffer, Buffer)>,
) -> PyResult<()> {
    let incoming = OutputGradients {
        spikes: spikes.strided()?,
        states: View::all(&states)?,
        last: View::all(&last)?,
    };
    let mut gradients = Gradients {
        current: current.map(Buffer::write).transpose()?,
        initial: optional(&initial)?,
        ..Gradients::default()
    };
    if let Some((parameters, threshold, graded_factor)) = learned {
        gradients.learnable = true;
        gradients.parameters = parameters
            .into_iter()
            .map(Buffer::write)
            .collect::<PyResult<_>>()?;
        gradients.threshold = threshold.write()?;
        gradients.graded_factor = graded_factor.write()?;
    }
    let surrogate = AnySurrogate::new(&surrogate.0, &surrogate.1).map_err(to_python)?;
    let arguments = layer.layer()?;
    run(py, layer.work(), move |isa| {
        backward(isa, &arguments, surrogate, &incoming, gradients)
    })
}
