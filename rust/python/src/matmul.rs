//! Spikes × weights.

use crate::buffer::{Memory, Written};
use crate::call::{run, to_python};
use crate::tensor::{Plain, Tensor};
use crate::view::Sizes;
use bitspike::matmul::{self, Affine, FilteredErrors, Matrix, Planes};
use bitspike::spikes::density;
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

/// What a product reads and writes: rows, a matrix that they meet, and the result.
struct Operands<'py, T> {
    rows: Memory<'py, T>,
    matrix: MatrixMemory<'py>,
    out: Written<'py, f32>,
}

impl<'py, T: Plain> Operands<'py, T> {
    fn of(
        (rows, of_rows): (&Tensor<'py>, &str),
        (matrix, of_matrix): (&Tensor<'py>, &'static str),
        out: &Tensor<'py>,
    ) -> PyResult<Self> {
        Ok(Self {
            rows: Memory::of(rows, of_rows)?,
            matrix: MatrixMemory::of(matrix, of_matrix)?,
            out: Written::of(out, "out")?,
        })
    }

    /// Elementary steps, with each operand as the kernel takes it.
    fn taken(&mut self) -> PyResult<(usize, &[T], Matrix<'_>, &mut [f32])> {
        let work = self.rows.len() + self.matrix.memory.len() + self.out.len();
        Ok((work, &self.rows, self.matrix.matrix()?, &mut self.out))
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
    let mut operands = Operands::of((&spikes, "spikes"), (&weights, "weights"), &out)?;
    let bias = bias.map(|x| Memory::of(&x, "bias")).transpose()?;
    let (work, spikes, weights, out) = operands.taken()?;
    let bias = bias.as_deref();
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
    let mut operands = Operands::of((&spikes, "spikes"), (&grad, "grad"), &out)?;
    let mut bias = bias.map(|x| Written::of(&x, "bias")).transpose()?;
    let (work, spikes, grad, out) = operands.taken()?;
    let bias = bias.as_deref_mut();
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
    let mut operands = Operands::of((&data, "data"), (&weights, "weights"), &out)?;
    let (work, data, weights, out) = operands.taken()?;
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

/// Errors of a layer of that shape.
pub(crate) fn filtered<'a>(
    shape: Sizes,
    active: &'a [u64],
    values: &'a [f32],
    decay: f32,
) -> FilteredErrors<'a> {
    FilteredErrors {
        shape: shape.into(),
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
    shape: Sizes,
    active: Tensor<'_>,
    values: Tensor<'_>,
    decay: f32,
    weights: Tensor<'_>,
    out: Tensor<'_>,
) -> PyResult<bool> {
    let mut operands = Operands::of((&active, "active"), (&weights, "weights"), &out)?;
    let values = Memory::of(&values, "values")?;
    let (work, active, weights, out) = operands.taken()?;
    let errors = filtered(shape, active, &values, decay);
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
