//! Attention between spikes.

use crate::buffer::{Memory, Written};
use crate::call::run;
use crate::tensor::Tensor;
use bitspike::attention::{self, Attention};
use pyo3::prelude::*;

/// `out = scale · Q Kᵀ V` for the heads of each sample; the shape is `(samples, tokens, neurons)`.
#[pyfunction]
pub(crate) fn attend(
    py: Python<'_>,
    spikes: (Tensor<'_>, Tensor<'_>, Tensor<'_>),
    shape: (usize, usize, usize),
    heads: usize,
    scale: f32,
    out: Tensor<'_>,
) -> PyResult<()> {
    let queries = Memory::of(&spikes.0, "queries")?;
    let keys = Memory::of(&spikes.1, "keys")?;
    let values = Memory::of(&spikes.2, "values")?;
    let mut out = Written::of(&out, "out")?;
    let work = queries.len() + keys.len() + values.len() + out.len();
    let (samples, tokens, neurons) = shape;
    let attention = Attention {
        queries: &queries,
        keys: &keys,
        values: &values,
        samples,
        tokens,
        neurons,
        heads,
    };
    let out = &mut *out;
    run(py, work, move |isa| {
        attention::attend(isa, attention, None, scale, out)
    })
}
