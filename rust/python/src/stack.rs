//! Linear layers with their neurons, one behind another.

use crate::buffer::{Memory, Written};
use crate::call::run;
use crate::matmul::MatrixMemory;
use crate::sequence::{LayerArguments, LayerViews};
use crate::tensor::Tensor;
use bitspike::Error;
use bitspike::stack::{self, Layer, Outputs};
use bitspike::tiling::Shape;
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
    shape: (usize, usize, usize),
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
    let (steps, samples, neurons) = shape;
    let shape = Shape {
        steps,
        samples,
        neurons,
    };
    let work = steps.saturating_mul(samples).saturating_mul(neurons);
    let spikes = &*spikes;
    run(py, work, move |isa| -> Result<bool, Error> {
        stack::forward(isa, spikes, shape, &layers, outputs)
    })
}
