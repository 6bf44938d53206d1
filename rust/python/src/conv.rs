//! Windows on feature maps.

use crate::buffer::{Memory, Written};
use crate::call::run;
use crate::tensor::Tensor;
use bitspike::conv::{self, Windows};
use pyo3::prelude::*;

/// Maps and windows as Python describes them: `([planes, height, width], window, stride)`.
type Sizes = ([usize; 3], [usize; 2], [usize; 2]);

fn windows(([planes, height, width], window, stride): Sizes) -> Windows {
    Windows {
        planes,
        height,
        width,
        window,
        stride,
    }
}

/// The maximum of each window.
#[pyfunction]
pub(crate) fn max_pool(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    sizes: Sizes,
    maxima: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let mut maxima = Written::of(&maxima, "maxima")?;
    let (words, maxima) = (&*words, &mut *maxima);
    run(py, words.len().saturating_mul(64), move |isa| {
        conv::max_pool(isa, words, rows, windows(sizes), maxima)
    })
}

/// How many neurons of each window fire.
#[pyfunction]
pub(crate) fn sum_pool(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    sizes: Sizes,
    sums: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let mut sums = Written::of(&sums, "sums")?;
    let (words, sums) = (&*words, &mut *sums);
    run(py, words.len().saturating_mul(64), move |isa| {
        conv::sum_pool(isa, words, rows, windows(sizes), sums)
    })
}

/// The gradient of the neurons for that of the maxima.
#[pyfunction]
pub(crate) fn max_pool_gradient(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    sizes: Sizes,
    grad: Tensor<'_>,
    to_spikes: Tensor<'_>,
) -> PyResult<()> {
    let (words, grad) = (Memory::of(&words, "words")?, Memory::of(&grad, "grad")?);
    let mut to_spikes = Written::of(&to_spikes, "to_spikes")?;
    let (words, grad, to_spikes) = (&*words, &*grad, &mut *to_spikes);
    run(py, to_spikes.len(), move |isa| {
        conv::max_pool_gradient(isa, words, rows, windows(sizes), grad, to_spikes)
    })
}
