//! Bits from and to other forms.

use crate::buffer::{Buffer, Plain};
use crate::call::run;
use bitspike::spikes::{self, Bf16, Element, F16, Pool, Stream};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Calls a generic function with the element type that a dtype names.
macro_rules! with_element {
    ($dtype:expr, $function:ident($($argument:expr),*)) => {
        match $dtype {
            "float32" => $function::<f32>($($argument),*),
            "float64" => $function::<f64>($($argument),*),
            "bfloat16" => $function::<Bf16>($($argument),*),
            "float16" => $function::<F16>($($argument),*),
            "uint8" => $function::<u8>($($argument),*),
            other => Err(PyTypeError::new_err(format!("spikes of dtype {other} have no packed form"))),
        }
    };
}

/// Packs rows of numbers; returns how many were neither 0 nor 1.
#[pyfunction]
pub(crate) fn pack(
    py: Python<'_>,
    dtype: &str,
    numbers: Buffer,
    rows: usize,
    neurons: usize,
    words: Buffer,
) -> PyResult<usize> {
    with_element!(dtype, pack_as(py, numbers, rows, neurons, words))
}

fn pack_as<T: Element + Plain + Sync>(
    py: Python<'_>,
    numbers: Buffer,
    rows: usize,
    neurons: usize,
    words: Buffer,
) -> PyResult<usize> {
    let (numbers, words) = (numbers.read::<T>()?, words.write()?);
    run(py, numbers.len(), move |isa| {
        spikes::pack(isa, numbers, rows, neurons, words)
    })
}

/// Unpacks rows of spikes to zeros and ones.
#[pyfunction]
pub(crate) fn unpack(
    py: Python<'_>,
    dtype: &str,
    words: Buffer,
    rows: usize,
    neurons: usize,
    numbers: Buffer,
) -> PyResult<()> {
    with_element!(dtype, unpack_as(py, words, rows, neurons, numbers))
}

fn unpack_as<T: Element + Plain + Send>(
    py: Python<'_>,
    words: Buffer,
    rows: usize,
    neurons: usize,
    numbers: Buffer,
) -> PyResult<()> {
    let (words, numbers) = (words.read()?, numbers.write::<T>()?);
    run(py, numbers.len(), move |isa| {
        spikes::unpack(isa, words, rows, neurons, numbers)
    })
}

/// How many spikes there are.
#[pyfunction]
pub(crate) fn count(py: Python<'_>, words: Buffer) -> PyResult<u64> {
    let words = words.read()?;
    run(py, words.len(), move |isa| Ok(spikes::count(isa, words)))
}

/// How often each neuron fires along the middle axis of `[outer, axis, inner]` rows.
#[pyfunction]
pub(crate) fn count_axis(
    py: Python<'_>,
    words: Buffer,
    shape: (usize, usize, usize),
    neurons: usize,
    counts: Buffer,
) -> PyResult<()> {
    let (words, counts) = (words.read()?, counts.write()?);
    let (outer, axis, inner) = shape;
    run(py, words.len().saturating_add(counts.len()), move |isa| {
        spikes::count_axis(isa, words, outer, axis, inner, neurons, counts)
    })
}

/// When each neuron of `[steps, samples]` rows fires for the first, second, … time.
#[pyfunction]
pub(crate) fn spike_times(
    py: Python<'_>,
    words: Buffer,
    shape: [usize; 2],
    neurons: usize,
    times: Buffer,
) -> PyResult<()> {
    let (words, times) = (words.read()?, times.write()?);
    run(py, words.len().saturating_add(times.len()), move |isa| {
        spikes::spike_times(isa, words, shape, neurons, times)
    })
}

/// The gradient of `[steps, neurons]` spikes for that of their times.
#[pyfunction]
pub(crate) fn spike_times_gradient(
    py: Python<'_>,
    times: Buffer,
    grad: Buffer,
    shape: [usize; 2],
    to_spikes: Buffer,
) -> PyResult<()> {
    let (times, grad, to_spikes) = (times.read()?, grad.read()?, to_spikes.write()?);
    run(py, to_spikes.len(), move |_| {
        spikes::spike_times_gradient(times, grad, shape, to_spikes)
    })
}

/// Sets the bits of events, given their steps, samples and neurons.
#[pyfunction]
pub(crate) fn from_events(
    py: Python<'_>,
    t: Buffer,
    b: Buffer,
    n: Buffer,
    shape: (usize, usize, usize),
    words: Buffer,
) -> PyResult<()> {
    // Copied: another thread could change a tensor between the check of an index and its use.
    let (t, b, n) = (t.read()?.to_vec(), b.read()?.to_vec(), n.read()?.to_vec());
    let words = words.write()?;
    run(py, t.len() + words.len(), move |_| {
        spikes::from_events(&t, &b, &n, shape.into(), words)
    })
}

/// The events of `[T, B, N]` spikes, sorted.
#[pyfunction]
pub(crate) fn to_events(
    py: Python<'_>,
    words: Buffer,
    shape: (usize, usize, usize),
    t: Buffer,
    b: Buffer,
    n: Buffer,
) -> PyResult<()> {
    let (words, t, b, n) = (words.read()?, t.write()?, b.write()?, n.write()?);
    run(py, words.len(), move |isa| {
        spikes::to_events(isa, words, shape.into(), t, b, n)
    })
}

/// Random spikes: row `r` of `rows` fires with the probabilities of row `r % period`.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a stream, probabilities and their shape, the result"
)]
pub(crate) fn bernoulli(
    py: Python<'_>,
    seed: u64,
    first: u64,
    probabilities: Buffer,
    period: usize,
    rows: usize,
    neurons: usize,
    words: Buffer,
) -> PyResult<()> {
    let (probabilities, words) = (probabilities.read()?, words.write()?);
    run(py, rows.saturating_mul(neurons), move |isa| {
        let stream = Stream { seed, first };
        spikes::bernoulli(isa, stream, probabilities, period, rows, neurons, words)
    })
}

/// Maps and windows as Python describes them: `([planes, height, width], window, stride)`.
type PoolSizes = ([usize; 3], [usize; 2], [usize; 2]);

fn pool(([planes, height, width], window, stride): PoolSizes) -> Pool {
    Pool {
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
    words: Buffer,
    rows: usize,
    sizes: PoolSizes,
    maxima: Buffer,
) -> PyResult<()> {
    let (words, maxima) = (words.read()?, maxima.write()?);
    run(py, words.len().saturating_mul(64), move |isa| {
        spikes::max_pool(isa, words, rows, pool(sizes), maxima)
    })
}

/// How many neurons of each window fire.
#[pyfunction]
pub(crate) fn sum_pool(
    py: Python<'_>,
    words: Buffer,
    rows: usize,
    sizes: PoolSizes,
    sums: Buffer,
) -> PyResult<()> {
    let (words, sums) = (words.read()?, sums.write()?);
    run(py, words.len().saturating_mul(64), move |isa| {
        spikes::sum_pool(isa, words, rows, pool(sizes), sums)
    })
}

/// The gradient of the neurons for that of the maxima.
#[pyfunction]
pub(crate) fn max_pool_gradient(
    py: Python<'_>,
    words: Buffer,
    rows: usize,
    sizes: PoolSizes,
    grad: Buffer,
    to_spikes: Buffer,
) -> PyResult<()> {
    let (words, grad, to_spikes) = (words.read()?, grad.read()?, to_spikes.write()?);
    run(py, to_spikes.len(), move |isa| {
        spikes::max_pool_gradient(isa, words, rows, pool(sizes), grad, to_spikes)
    })
}
