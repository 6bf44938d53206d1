//! Whole sequences through a layer of neurons.

use crate::buffer::Written;
use crate::call::{run, to_python};
use crate::tensor::Tensor;
use crate::view::{Axes, Constant, Sizes, View};
use bitspike::neuron::{Mechanism, Reset};
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence::{
    self, Errors, Gradients, Layer, OutputGradients, Outputs, backward, backward_with_errors,
    forward,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A layer as Python describes it: neuron, reset mechanism, whether the reset is immediate,
/// `(T, B, N)`, whether the current has an axis of time and one of samples, current, parameters,
/// threshold, graded factor, initial states.
#[derive(Debug, FromPyObject)]
pub(crate) struct LayerArguments<'py>(
    String,
    String,
    bool,
    Sizes,
    (bool, bool),
    Tensor<'py>,
    Vec<Constant<'py>>,
    Constant<'py>,
    Constant<'py>,
    Vec<Tensor<'py>>,
);

/// A layer with the memory of its tensors.
#[derive(Debug)]
pub(crate) struct LayerViews<'py> {
    neuron: NeuronKind,
    reset: Reset,
    axes: Axes,
    has_time: bool,
    current: View<'py>,
    parameters: Vec<View<'py>>,
    threshold: View<'py>,
    graded_factor: View<'py>,
    initial: Vec<View<'py>>,
}

impl<'py> LayerArguments<'py> {
    pub(crate) fn views(&self) -> PyResult<LayerViews<'py>> {
        let Self(
            neuron,
            mechanism,
            immediate,
            sizes,
            (has_time, batched),
            current,
            parameters,
            threshold,
            graded_factor,
            initial,
        ) = self;
        let axes = Axes::new(*sizes, *batched);
        let constant = |x: &Constant<'py>, what| View::constant(x, axes.shape, what);
        Ok(LayerViews {
            neuron: NeuronKind::parse(neuron).map_err(to_python)?,
            reset: Reset {
                mechanism: Mechanism::parse(mechanism).map_err(to_python)?,
                immediate: *immediate,
            },
            axes,
            has_time: *has_time,
            current: View::shaped(Some(current), axes, *has_time, "current")?,
            parameters: parameters
                .iter()
                .map(|x| constant(x, "a parameter"))
                .collect::<PyResult<_>>()?,
            threshold: constant(threshold, "threshold")?,
            graded_factor: constant(graded_factor, "graded_factor")?,
            initial: initial
                .iter()
                .map(|x| View::shaped(Some(x), axes, false, "an initial state"))
                .collect::<PyResult<_>>()?,
        })
    }
}

impl<'py> LayerViews<'py> {
    pub(crate) fn layer(&self) -> Layer<'_> {
        Layer {
            neuron: self.neuron,
            reset: self.reset,
            shape: self.axes.shape,
            current: self.current.strided(),
            parameters: View::all(&self.parameters),
            threshold: self.threshold.strided(),
            graded_factor: self.graded_factor.strided(),
            initial: View::all(&self.initial),
        }
    }

    /// A view of a tensor shaped like the current; None is 0 everywhere.
    pub(crate) fn like_current(
        &self,
        tensor: &Option<Tensor<'py>>,
        what: &str,
    ) -> PyResult<View<'py>> {
        View::shaped(tensor.as_ref(), self.axes, self.has_time, what)
    }

    /// A view of a tensor shaped like one step; None is 0 everywhere.
    pub(crate) fn like_step(
        &self,
        tensor: &Option<Tensor<'py>>,
        what: &str,
    ) -> PyResult<View<'py>> {
        View::shaped(tensor.as_ref(), self.axes, false, what)
    }

    /// A view of a constant.
    pub(crate) fn constant(&self, constant: &Constant<'py>, what: &str) -> PyResult<View<'py>> {
        View::constant(constant, self.axes.shape, what)
    }

    /// Gradients of the states of all steps.
    pub(crate) fn of_states(&self, states: &[Option<Tensor<'py>>]) -> PyResult<Vec<View<'py>>> {
        let view = |x| self.like_current(x, "the gradient of a state");
        states.iter().map(view).collect()
    }

    /// Gradients of the states after the last step.
    pub(crate) fn of_last(&self, last: &[Option<Tensor<'py>>]) -> PyResult<Vec<View<'py>>> {
        let view = |x| self.like_step(x, "the gradient of a last state");
        last.iter().map(view).collect()
    }

    /// Elementary steps of the call.
    pub(crate) fn work(&self) -> usize {
        self.axes.shape.work()
    }
}

/// The memory of results of which each is wanted or not.
pub(crate) fn written<'py>(
    tensors: &[Option<Tensor<'py>>],
    what: &str,
) -> PyResult<Vec<Option<Written<'py, f32>>>> {
    let write = |x: &Option<Tensor<'py>>| x.as_ref().map(|x| Written::of(x, what)).transpose();
    tensors.iter().map(write).collect()
}

/// Results as kernels write them.
pub(crate) fn slices<'a>(
    results: &'a mut [Option<Written<'_, f32>>],
) -> Vec<Option<&'a mut [f32]>> {
    results.iter_mut().map(|x| x.as_deref_mut()).collect()
}

/// Where the gradients of a layer's constants go.
#[derive(Debug)]
pub(crate) struct Learned<'py> {
    parameters: Vec<Written<'py, f32>>,
    threshold: Written<'py, f32>,
    graded_factor: Option<Written<'py, f32>>,
}

impl<'py> Learned<'py> {
    pub(crate) fn of(
        parameters: &[Tensor<'py>],
        threshold: &Tensor<'py>,
        graded_factor: Option<&Tensor<'py>>,
    ) -> PyResult<Self> {
        let write = |x: &Tensor<'py>| Written::of(x, "the gradient of a constant");
        Ok(Self {
            parameters: parameters.iter().map(write).collect::<PyResult<_>>()?,
            threshold: write(threshold)?,
            graded_factor: graded_factor.map(write).transpose()?,
        })
    }

    /// They as kernels write them.
    pub(crate) fn slices(&mut self) -> sequence::Learned<'_> {
        sequence::Learned {
            parameters: self.parameters.iter_mut().map(|x| &mut **x).collect(),
            threshold: &mut self.threshold,
            graded_factor: self.graded_factor.as_deref_mut(),
        }
    }
}

/// Runs the layer; each output that is not None is filled.
#[pyfunction]
pub(crate) fn sequence_forward(
    py: Python<'_>,
    layer: LayerArguments<'_>,
    packed: Option<Tensor<'_>>,
    dense: Option<Tensor<'_>>,
    states: Vec<Option<Tensor<'_>>>,
    last: Vec<Option<Tensor<'_>>>,
) -> PyResult<()> {
    let views = layer.views()?;
    let mut packed = packed.map(|x| Written::of(&x, "packed")).transpose()?;
    let mut dense = dense.map(|x| Written::of(&x, "dense")).transpose()?;
    let (mut states, mut last) = (written(&states, "states")?, written(&last, "last")?);
    let outputs = Outputs {
        packed: packed.as_deref_mut(),
        dense: dense.as_deref_mut(),
        states: slices(&mut states),
        last: slices(&mut last),
    };
    let layer = views.layer();
    run(py, views.work(), move |isa| forward(isa, &layer, outputs))
}

/// By how much the errors of a layer decay from a step to the one before, if its gradient is made of
/// errors, and the surrogate, if given, is compact, so that few are not 0.
#[pyfunction]
pub(crate) fn error_decay(
    layer: LayerArguments<'_>,
    surrogate: Option<(String, Vec<f32>)>,
) -> PyResult<Option<f32>> {
    let few = match surrogate {
        Some((name, parameters)) => AnySurrogate::new(&name, &parameters)
            .map_err(to_python)?
            .is_compact(),
        None => true,
    };
    let views = layer.views()?;
    Ok(views.layer().decay().filter(|_| few))
}

/// Sends the gradients of spikes, states and last states back. `learned`, if given, holds the
/// outputs for the parameters, the threshold and the graded factor; `errors`, if given, those for the
/// active neurons and their errors, and then there are gradients of the spikes only.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a layer, a surrogate, what comes in, what goes out"
)]
pub(crate) fn sequence_backward<'py>(
    py: Python<'py>,
    layer: LayerArguments<'py>,
    surrogate: (String, Vec<f32>),
    spikes: Option<Tensor<'py>>,
    states: Vec<Option<Tensor<'py>>>,
    last: Vec<Option<Tensor<'py>>>,
    current: Option<Tensor<'py>>,
    initial: Vec<Option<Tensor<'py>>>,
    learned: Option<(Vec<Tensor<'py>>, Tensor<'py>, Option<Tensor<'py>>)>,
    errors: Option<(Tensor<'py>, Tensor<'py>)>,
) -> PyResult<()> {
    if errors.is_some() && states.iter().chain(&last).any(Option::is_some) {
        return Err(PyValueError::new_err(
            "there are no errors where states have gradients",
        ));
    }
    let surrogate = AnySurrogate::new(&surrogate.0, &surrogate.1).map_err(to_python)?;
    let views = layer.views()?;
    let spikes = views.like_current(&spikes, "the gradient of spikes")?;
    let (states, last) = (views.of_states(&states)?, views.of_last(&last)?);
    let incoming = OutputGradients {
        spikes: spikes.strided(),
        states: View::all(&states),
        last: View::all(&last),
    };
    let mut current = current.map(|x| Written::of(&x, "current")).transpose()?;
    let mut initial = written(&initial, "initial")?;
    let learned = learned.map(|(parameters, threshold, graded_factor)| {
        Learned::of(&parameters, &threshold, graded_factor.as_ref())
    });
    let mut learned = learned.transpose()?;
    let gradients = Gradients {
        current: current.as_deref_mut(),
        initial: slices(&mut initial),
        learned: learned.as_mut().map(Learned::slices),
    };
    let mut errors = errors
        .map(|(active, values)| {
            let active = Written::of(&active, "active")?;
            PyResult::Ok((active, Written::of(&values, "values")?))
        })
        .transpose()?;
    let errors = errors
        .as_mut()
        .map(|(active, values)| Errors { active, values });
    let layer = views.layer();
    run(py, views.work(), move |isa| match errors {
        None => backward(isa, &layer, surrogate, &incoming, gradients),
        Some(errors) => {
            let spikes = incoming.spikes;
            backward_with_errors(isa, &layer, surrogate, spikes, gradients, errors).map(drop)
        }
    })
}
