//! Convolutions, and windows on feature maps.

use crate::buffer::{Memory, Written};
use crate::call::run;
use crate::matmul::filtered;
use crate::tensor::Tensor;
use crate::view::Sizes;
use bitspike::conv::{self, Convolution, Order, Orders, Windows};
use bitspike::spikes::density;
use pyo3::prelude::*;

/// Maps and windows as Python describes them: `([planes, height, width], window, stride)`.
type WindowSizes = ([usize; 3], [usize; 2], [usize; 2]);

fn windows(([planes, height, width], window, stride): WindowSizes) -> Windows {
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
    sizes: WindowSizes,
    channels_last: bool,
    maxima: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let mut maxima = Written::of(&maxima, "maxima")?;
    let (words, maxima) = (&*words, &mut *maxima);
    run(py, words.len().saturating_mul(64), move |isa| {
        conv::max_pool(
            isa,
            words,
            rows,
            windows(sizes),
            order(channels_last),
            maxima,
        )
    })
}

/// How many neurons of each window fire.
#[pyfunction]
pub(crate) fn sum_pool(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    sizes: WindowSizes,
    channels_last: bool,
    sums: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let mut sums = Written::of(&sums, "sums")?;
    let (words, sums) = (&*words, &mut *sums);
    run(py, words.len().saturating_mul(64), move |isa| {
        conv::sum_pool(isa, words, rows, windows(sizes), order(channels_last), sums)
    })
}

/// The gradient of the neurons for that of the maxima.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "what runs, what it reads, what it writes"
)]
pub(crate) fn max_pool_gradient(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    sizes: WindowSizes,
    channels_last: bool,
    grad: Tensor<'_>,
    to_spikes: Tensor<'_>,
) -> PyResult<()> {
    let (words, grad) = (Memory::of(&words, "words")?, Memory::of(&grad, "grad")?);
    let mut to_spikes = Written::of(&to_spikes, "to_spikes")?;
    let (words, grad, to_spikes) = (&*words, &*grad, &mut *to_spikes);
    run(py, to_spikes.len(), move |isa| {
        conv::max_pool_gradient(
            isa,
            words,
            rows,
            windows(sizes),
            order(channels_last),
            grad,
            to_spikes,
        )
    })
}

/// A convolution as Python describes it: channels, size of a map, outputs, groups, and, of height and
/// width, kernel, stride, padding, dilation.
type Described = (
    usize,
    [usize; 2],
    usize,
    usize,
    [usize; 2],
    [usize; 2],
    [usize; 2],
    [usize; 2],
);

fn convolution(
    (channels, size, outputs, groups, kernel, stride, padding, dilation): Described,
) -> Convolution {
    Convolution {
        channels,
        size,
        outputs,
        groups,
        kernel,
        stride,
        padding,
        dilation,
    }
}

fn order(channels_last: bool) -> Order {
    match channels_last {
        true => Order::ChannelsLast,
        false => Order::ChannelsFirst,
    }
}

fn orders((spikes, sums): (bool, bool)) -> Orders {
    Orders {
        spikes: order(spikes),
        sums: order(sums),
    }
}

/// `out = spikes ∗ weight + bias`; `channels_last` is said of spikes and sums.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "what runs, what it reads, what it writes"
)]
pub(crate) fn convolve(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    described: Described,
    channels_last: (bool, bool),
    weight: Tensor<'_>,
    bias: Option<Tensor<'_>>,
    out: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let weight = Memory::of(&weight, "weight")?;
    let bias = bias.map(|x| Memory::of(&x, "bias")).transpose()?;
    let mut out = Written::of(&out, "out")?;
    let (conv, orders) = (convolution(described), orders(channels_last));
    let (words, weight, bias, out) = (&*words, &*weight, bias.as_deref(), &mut *out);
    run(py, words.len() + weight.len() + out.len(), move |isa| {
        conv::convolve(isa, words, rows, conv, orders, weight, bias, out)
    })
}

/// The gradients of weight and bias; `channels_last` is said of spikes and gradients. False if some gradient is not finite, and they are of no use.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "what runs, what it reads, what it writes"
)]
pub(crate) fn convolve_weight_gradient(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    described: Described,
    channels_last: (bool, bool),
    grad: Tensor<'_>,
    weight: Tensor<'_>,
    bias: Tensor<'_>,
) -> PyResult<bool> {
    let words = Memory::of(&words, "words")?;
    let grad = Memory::of(&grad, "grad")?;
    let (mut weight, mut bias) = (Written::of(&weight, "weight")?, Written::of(&bias, "bias")?);
    let (conv, orders) = (convolution(described), orders(channels_last));
    let (words, grad, weight, bias) = (&*words, &*grad, &mut *weight, &mut *bias);
    run(py, words.len() + grad.len(), move |isa| {
        conv::weight_gradient(isa, words, rows, conv, orders, grad, weight, bias)
    })
}

/// Whether a dense convolution would be faster, or must be taken for the sake of these weights.
#[pyfunction]
pub(crate) fn convolve_prefers_dense(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    described: Described,
    weight: Option<Tensor<'_>>,
) -> PyResult<bool> {
    let words = Memory::of(&words, "words")?;
    let weight = weight.map(|x| Memory::of(&x, "weight")).transpose()?;
    let conv = convolution(described);
    let (words, weight) = (&*words, weight.as_deref().unwrap_or_default());
    run(py, words.len() + weight.len(), move |isa| {
        let neurons = conv.channels * conv.size[0] * conv.size[1];
        let density = density(isa, words, rows.saturating_mul(neurons));
        conv::prefers_dense(isa, density, rows, conv, weight)
    })
}

/// The gradient of the spikes from errors, which lie as it does: `channels_last` is said of both. False,
/// with nothing of use written, if a weight or an error is not finite.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "what runs, what it reads, what it writes"
)]
pub(crate) fn convolve_input_gradient(
    py: Python<'_>,
    shape: Sizes,
    active: Tensor<'_>,
    values: Tensor<'_>,
    decay: f32,
    described: Described,
    channels_last: bool,
    weight: Tensor<'_>,
    out: Tensor<'_>,
) -> PyResult<bool> {
    let (active, values) = (
        Memory::of(&active, "active")?,
        Memory::of(&values, "values")?,
    );
    let weight = Memory::of(&weight, "weight")?;
    let mut out = Written::of(&out, "out")?;
    let errors = filtered(shape, &active, &values, decay);
    let (conv, order) = (convolution(described), order(channels_last));
    let (weight, out) = (&*weight, &mut *out);
    run(py, active.len() + weight.len() + out.len(), move |isa| {
        conv::input_gradient(isa, errors, conv, order, weight, out)
    })
}

/// Whether a dense convolution would be faster than [`convolve_input_gradient`], for this share of errors
/// that are not 0, in so many rows.
#[pyfunction]
pub(crate) fn convolve_gradient_prefers_dense(
    py: Python<'_>,
    share: f64,
    rows: usize,
    described: Described,
) -> PyResult<bool> {
    let conv = convolution(described);
    run(py, 0, move |isa| {
        conv::gradient_prefers_dense(isa, share, rows, conv)
    })
}
