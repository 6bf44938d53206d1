//! Spikes × weights.

use crate::buffer::Buffer;
use crate::call::{run, to_python};
use bitspike::matmul::{self, Matrix};
use bitspike::simd::Isa;
use pyo3::prelude::*;

/// A strided matrix: its memory, shape and strides.
#[derive(Clone, Copy, Debug, FromPyObject)]
pub(crate) struct MatrixArguments(Buffer, (usize, usize), (usize, usize));

impl MatrixArguments {
    pub(crate) fn matrix<'a>(self, what: &'static str) -> PyResult<Matrix<'a>> {
        let Self(buffer, shape, strides) = self;
        Matrix::new(what, buffer.read()?, shape.into(), strides.into()).map_err(to_python)
    }
}

/// `out[r] = Σ weights[k] over the active inputs k of row r, + bias`.
#[pyfunction]
pub(crate) fn product(
    py: Python<'_>,
    spikes: Buffer,
    rows: usize,
    weights: MatrixArguments,
    bias: Option<Buffer>,
    out: Buffer,
) -> PyResult<()> {
    let (spikes, out) = (spikes.read()?, out.write()?);
    let weights = weights.matrix("weights")?;
    let bias = bias.map(Buffer::read).transpose()?;
    let work = spikes.len().saturating_add(out.len());
    run(py, work, move |isa| {
        matmul::product(isa, spikes, rows, weights, bias, out)
    })
}

/// `out[n][k] = Σ grad[r][n] over the rows r in which input k is active`, `bias[n] = Σ grad[r][n]`.
#[pyfunction]
pub(crate) fn weight_gradient(
    py: Python<'_>,
    spikes: Buffer,
    inputs: usize,
    grad: MatrixArguments,
    out: Buffer,
    bias: Option<Buffer>,
) -> PyResult<()> {
    let (spikes, out) = (spikes.read()?, out.write()?);
    let grad = grad.matrix("grad")?;
    let bias = bias.map(Buffer::write).transpose()?;
    let work = spikes.len().saturating_add(out.len());
    run(py, work, move |isa| {
        matmul::weight_gradient(isa, spikes, inputs, grad, out, bias)
    })
}

/// Whether a dense product of the same numbers would be faster.
#[pyfunction]
pub(crate) fn prefers_dense(density: f64, rows: usize, outputs: usize) -> PyResult<bool> {
    let isa = Isa::active().map_err(to_python)?;
    Ok(matmul::prefers_dense(isa, density, rows, outputs))
}
