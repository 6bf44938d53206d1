//! Linear layers with their neurons, one behind another.

use crate::buffer::{Memory, Written};
use crate::call::run;
use crate::call::to_python;
use crate::matmul::MatrixMemory;
use crate::sequence::{LayerArguments, LayerViews, slices, written};
use crate::tensor::Tensor;
use crate::view::{Sizes, View};
use bitspike::Error;
use bitspike::registry::AnySurrogate;
use bitspike::stack::{self, Gradients, Layer, LayerGradients, Outputs, Reversed};
use bitspike::tiling::Shape;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A linear layer as Python describes it: weights `[inputs, neurons]`, bias, and neurons, whose current
/// is not read.
type LinearLayer<'py> = (Tensor<'py>, Option<Tensor<'py>>, LayerArguments<'py>);

/// The memory of its tensors.
struct LinearMemory<'py> {
    weights: MatrixMemory<'py>,
    bias: Option<Memory<'py, f32>>,
    neurons: LayerViews<'py>,
}

impl<'py> LinearMemory<'py> {
    fn of((weights, bias, neurons): &LinearLayer<'py>) -> PyResult<Self> {
        Ok(Self {
            weights: MatrixMemory::of(weights, "weights")?,
            bias: bias.as_ref().map(|x| Memory::of(x, "bias")).transpose()?,
            neurons: neurons.views()?,
        })
    }

    fn layer(&self) -> PyResult<Layer<'_>> {
        Ok(Layer {
            weights: self.weights.matrix()?,
            bias: self.bias.as_deref(),
            neurons: self.neurons.layer(),
        })
    }
}

/// Runs the layers on words of `(T, B, inputs)` spikes, and fills, for each, the words of its spikes
/// and its states after the last step. False if a weight is not finite: then nothing is filled.
#[pyfunction]
pub(crate) fn stack_forward(
    py: Python<'_>,
    spikes: Tensor<'_>,
    shape: Sizes,
    layers: Vec<LinearLayer<'_>>,
    outputs: Vec<(Tensor<'_>, Vec<Tensor<'_>>)>,
) -> PyResult<bool> {
    let spikes = Memory::of(&spikes, "spikes")?;
    let memory = layers
        .iter()
        .map(LinearMemory::of)
        .collect::<PyResult<Vec<_>>>()?;
    let layers = memory
        .iter()
        .map(LinearMemory::layer)
        .collect::<PyResult<Vec<_>>>()?;
    let mut written = outputs
        .iter()
        .map(|(packed, last)| {
            let last = last.iter().map(|x| Written::of(x, "last"));
            let last = last.collect::<PyResult<Vec<Written<'_, f32>>>>()?;
            Ok((Written::of(packed, "packed")?, last))
        })
        .collect::<PyResult<Vec<_>>>()?;
    let outputs = written
        .iter_mut()
        .map(|(packed, last)| Outputs {
            packed: &mut *packed,
            last: last.iter_mut().map(|x| &mut **x).collect(),
        })
        .collect();
    let shape = Shape::from(shape);
    let spikes = &*spikes;
    run(py, shape.work(), move |isa| -> Result<bool, Error> {
        stack::forward(isa, spikes, shape, &layers, outputs)
    })
}

/// What comes to a layer on the way back, and what it gives, as Python describes it: its surrogate, the
/// words that entered it, the gradients of its last states, if there are any, and where the gradients of
/// weight, bias and initial states go.
type Way<'py> = (
    (String, Vec<f32>),
    Tensor<'py>,
    Vec<Option<Tensor<'py>>>,
    (Option<Tensor<'py>>, Option<Tensor<'py>>),
    Vec<Option<Tensor<'py>>>,
);

/// The memory of its tensors.
struct WayMemory<'py> {
    surrogate: AnySurrogate,
    spikes: Memory<'py, u64>,
    last: Option<Vec<View<'py>>>,
    weights: Option<Written<'py, f32>>,
    bias: Option<Written<'py, f32>>,
    initial: Vec<Option<Written<'py, f32>>>,
}

impl<'py> WayMemory<'py> {
    fn of(
        ((name, parameters), spikes, last, (weights, bias), initial): &Way<'py>,
        neurons: &LayerViews<'py>,
    ) -> PyResult<Self> {
        let write = |x: &Option<Tensor<'py>>, what: &str| {
            x.as_ref().map(|x| Written::of(x, what)).transpose()
        };
        let arrives = last.iter().any(Option::is_some);
        Ok(Self {
            surrogate: AnySurrogate::new(name, parameters).map_err(to_python)?,
            spikes: Memory::of(spikes, "spikes")?,
            last: arrives.then(|| neurons.of_last(last)).transpose()?,
            weights: write(weights, "the gradient of weights")?,
            bias: write(bias, "the gradient of a bias")?,
            initial: written(initial, "the gradient of an initial state")?,
        })
    }
}

/// Sends the gradient of the last layer's spikes back through the layers, `at_a_time` samples at a time,
/// and fills what is not None.
#[pyfunction]
pub(crate) fn stack_backward<'py>(
    py: Python<'py>,
    shape: Sizes,
    layers: Vec<(LinearLayer<'py>, Way<'py>)>,
    spikes: Option<Tensor<'py>>,
    input: Option<Tensor<'py>>,
    at_a_time: usize,
) -> PyResult<()> {
    let memory = layers
        .iter()
        .map(|(layer, _)| LinearMemory::of(layer))
        .collect::<PyResult<Vec<_>>>()?;
    let mut ways = layers
        .iter()
        .zip(&memory)
        .map(|((_, way), memory)| WayMemory::of(way, &memory.neurons))
        .collect::<PyResult<Vec<_>>>()?;
    let Some(last) = memory.last() else {
        return Err(PyValueError::new_err("there are no layers"));
    };
    let spikes = last
        .neurons
        .like_current(&spikes, "the gradient of spikes")?;
    let mut input = input
        .map(|x| Written::of(&x, "the gradient of the spikes that enter"))
        .transpose()?;
    let work = memory.iter().map(|memory| memory.neurons.work()).sum();
    let (mut reversed, mut of_layers) = (Vec::new(), Vec::new());
    for (memory, way) in memory.iter().zip(&mut ways) {
        reversed.push(Reversed {
            layer: memory.layer()?,
            surrogate: way.surrogate,
            spikes: &way.spikes,
            last: way.last.as_ref().map(|last| View::all(last)),
        });
        of_layers.push(LayerGradients {
            weights: way.weights.as_deref_mut(),
            bias: way.bias.as_deref_mut(),
            initial: slices(&mut way.initial),
        });
    }
    let shape = shape.into();
    let gradients = Gradients {
        layers: of_layers,
        input: input.as_deref_mut(),
    };
    let spikes = spikes.strided();
    run(py, work, move |isa| {
        stack::backward(isa, shape, &reversed, spikes, gradients, at_a_time)
    })
}
