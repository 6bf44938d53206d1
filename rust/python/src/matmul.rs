//! Spikes × weights.

use crate::buffer::{Memory, Written};
use crate::call::{run, to_python};
use crate::tensor::Tensor;
use bitspike::matmul::{self, Affine, FilteredErrors, Matrix, Planes};
use bitspike::spikes::density;
use bitspike::tiling::Shape;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A matrix of any strides, with the memory of its tensor.
#[derive(Debug)]
pub(crate) struct MatrixMemory<'py> {
    what: &'static str,
    memory: Memory<'py, f32>,
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'py> MatrixMemory<'py> {
    pub(crate) fn of(tensor: &Tensor<'py>, what: &'static str) -> PyResult<Self> {
        let (memory, shape, strides) = Memory::strided(tensor, what)?;
        let (Ok(shape), Ok(strides)) = (shape.clone().try_into(), strides.try_into()) else {
            let message = format!("{what} must have two axes, not the shape {shape:?}");
            return Err(PyValueError::new_err(message));
        };
        Ok(Self {
            what,
            memory,
            shape,
            strides,
        })
    }

    pub(crate) fn matrix(&self) -> PyResult<Matrix<'_>> {
        Matrix::new(self.what, &self.memory, self.shape, self.strides).map_err(to_python)
    }
}

/// `out[r] = Σ weights[k] over the active inputs k of row r, + bias`.
#[pyfunction]
pub(crate) fn product(
    py: Python<'_>,
    spikes: Tensor<'_>,
    rows: usize,
    weights: Tensor<'_>,
    bias: Option<Tensor<'_>>,
    out: Tensor<'_>,
) -> PyResult<()> {
    let spikes = Memory::of(&spikes, "spikes")?;
    let weights = MatrixMemory::of(&weights, "weights")?;
    let bias = bias.map(|x| Memory::of(&x, "bias")).transpose()?;
    let mut out = Written::of(&out, "out")?;
    let work = spikes.len() + weights.memory.len() + out.len();
    let (spikes, bias, out) = (&*spikes, bias.as_deref(), &mut *out);
    let weights = weights.matrix()?;
    run(py, work, move |isa| {
        matmul::product(isa, spikes, rows, weights, bias, out)
    })
}

/// `out[n][k] = Σ grad[r][n] over the rows r in which input k is active`, `bias[n] = Σ grad[r][n]`.
#[pyfunction]
pub(crate) fn weight_gradient(
    py: Python<'_>,
    spikes: Tensor<'_>,
    inputs: usize,
    grad: Tensor<'_>,
    out: Tensor<'_>,
    bias: Option<Tensor<'_>>,
) -> PyResult<()> {
    let spikes = Memory::of(&spikes, "spikes")?;
    let grad = MatrixMemory::of(&grad, "grad")?;
    let mut out = Written::of(&out, "out")?;
    let mut bias = bias.map(|x| Written::of(&x, "bias")).transpose()?;
    let work = spikes.len() + grad.memory.len() + out.len();
    let (spikes, out, bias) = (&*spikes, &mut *out, bias.as_deref_mut());
    let grad = grad.matrix()?;
    run(py, work, move |isa| {
        matmul::weight_gradient(isa, spikes, inputs, grad, out, bias)
    })
}

/// `out = data × weights` in this thread, for a contiguous matrix.
#[pyfunction]
pub(crate) fn small_dense_product(
    py: Python<'_>,
    data: Tensor<'_>,
    rows: usize,
    weights: Tensor<'_>,
    out: Tensor<'_>,
) -> PyResult<()> {
    let data = Memory::of(&data, "data")?;
    let weights = MatrixMemory::of(&weights, "weights")?;
    let mut out = Written::of(&out, "out")?;
    let work = data.len() + weights.memory.len() + out.len();
    let (data, out) = (&*data, &mut *out);
    let weights = weights.matrix()?;
    run(py, work, move |isa| {
        matmul::small_dense_product(isa, data, rows, weights, out)
    })
}

/// Whether a dense product of `rows` spike trains would be faster, or of silent ones for None.
#[pyfunction]
pub(crate) fn prefers_dense(
    py: Python<'_>,
    spikes: Option<Tensor<'_>>,
    rows: usize,
    inputs: usize,
    outputs: usize,
) -> PyResult<bool> {
    let spikes = spikes.map(|x| Memory::of(&x, "spikes")).transpose()?;
    let spikes = spikes.as_deref().unwrap_or_default();
    run(py, spikes.len(), move |isa| {
        let density = density(isa, spikes, rows.saturating_mul(inputs));
        Ok(matmul::prefers_dense(isa, density, rows, outputs))
    })
}

/// Errors of a layer for `shape`: steps, samples and neurons.
pub(crate) fn filtered<'a>(
    (steps, samples, neurons): (usize, usize, usize),
    active: &'a [u64],
    values: &'a [f32],
    decay: f32,
) -> FilteredErrors<'a> {
    FilteredErrors {
        shape: Shape {
            steps,
            samples,
            neurons,
        },
        active,
        values,
        decay,
    }
}

/// `out[t] = errors[t] × weights + decay · out[t + 1]`; false, with nothing written, if a weight is not
/// finite.
#[pyfunction]
pub(crate) fn input_gradient(
    py: Python<'_>,
    shape: (usize, usize, usize),
    active: Tensor<'_>,
    values: Tensor<'_>,
    decay: f32,
    weights: Tensor<'_>,
    out: Tensor<'_>,
) -> PyResult<bool> {
    let active = Memory::of(&active, "active")?;
    let values = Memory::of(&values, "values")?;
    let weights = MatrixMemory::of(&weights, "weights")?;
    let mut out = Written::of(&out, "out")?;
    let work = active.len() + weights.memory.len() + out.len();
    let errors = filtered(shape, &active, &values, decay);
    let (weights, out) = (weights.matrix()?, &mut *out);
    run(py, work, move |isa| {
        matmul::input_gradient(isa, errors, weights, out)
    })
}

/// Whether a dense product would be faster than [`input_gradient`], for these active neurons, or none at
/// all, in so many rows, and weights of that shape.
#[pyfunction]
pub(crate) fn gradient_prefers_dense(
    py: Python<'_>,
    active: Option<Tensor<'_>>,
    rows: usize,
    weights: [usize; 2],
) -> PyResult<bool> {
    let active = active.map(|x| Memory::of(&x, "active")).transpose()?;
    let active = active.as_deref().unwrap_or_default();
    run(py, active.len(), move |isa| {
        let share = density(isa, active, rows.saturating_mul(weights[0]));
        Ok(matmul::gradient_prefers_dense(isa, share, rows, weights[1]))
    })
}

/// `out[r] = scale · (spikes[r] × weightsᵀ) + bias` for weights that are 1 where `positive` is, -1 where
/// `negative` is or, without it, elsewhere, and else 0; the shape is that of spikes and outputs.
#[pyfunction]
pub(crate) fn plane_product(
    py: Python<'_>,
    spikes: Tensor<'_>,
    shape: [usize; 3],
    planes: (Tensor<'_>, Option<Tensor<'_>>),
    affine: (Tensor<'_>, Option<Tensor<'_>>),
    out: Tensor<'_>,
) -> PyResult<()> {
    let spikes = Memory::of(&spikes, "spikes")?;
    let positive = Memory::of(&planes.0, "positive")?;
    let negative = planes.1.map(|x| Memory::of(&x, "negative")).transpose()?;
    let scale = Memory::of(&affine.0, "scale")?;
    let bias = affine.1.map(|x| Memory::of(&x, "bias")).transpose()?;
    let mut out = Written::of(&out, "out")?;
    let work = spikes.len() + positive.len() + out.len();
    let [rows, inputs, outputs] = shape;
    let weights = match &negative {
        Some(negative) => Planes::ternary(&positive, negative, [outputs, inputs]),
        None => Planes::binary(&positive, [outputs, inputs]),
    };
    let weights = weights.map_err(to_python)?;
    let affine = Affine {
        scale: &scale,
        bias: bias.as_deref(),
    };
    let (spikes, out) = (&*spikes, &mut *out);
    run(py, work, move |isa| {
        matmul::scaled_plane_product(isa, spikes, rows, weights, affine, out)
    })
}

/// Whether [`plane_product`] is faster than adding the weights of active inputs.
#[pyfunction]
pub(crate) fn prefers_planes(
    py: Python<'_>,
    spikes: Tensor<'_>,
    shape: [usize; 3],
    planes: usize,
) -> PyResult<bool> {
    let spikes = Memory::of(&spikes, "spikes")?;
    let spikes = &*spikes;
    run(py, spikes.len(), move |isa| {
        let density = density(isa, spikes, shape[0].saturating_mul(shape[1]));
        Ok(matmul::prefers_planes(isa, density, shape, planes))
    })
}
