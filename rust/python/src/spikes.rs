//! Bits from and to other forms.

use crate::buffer::{Memory, Written, dtype};
use crate::call::run;
use crate::tensor::{Dtype, Plain, Tensor};
use bitspike::spikes::{self, Bf16, Element, F16, Stream};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Calls a generic function with the element type of a tensor.
macro_rules! with_element {
    ($tensor:expr, $function:ident($($argument:expr),*)) => {
        match dtype($tensor)? {
            Some(Dtype::Float32) => $function::<f32>($($argument),*),
            Some(Dtype::Float64) => $function::<f64>($($argument),*),
            Some(Dtype::BFloat16) => $function::<Bf16>($($argument),*),
            Some(Dtype::Float16) => $function::<F16>($($argument),*),
            Some(Dtype::UInt8 | Dtype::Bool) => $function::<u8>($($argument),*),
            Some(Dtype::Int16 | Dtype::Int32 | Dtype::Int64) | None => Err(PyTypeError::new_err(format!(
                "spikes of dtype {} have no packed form",
                $tensor.0.getattr("dtype")?
            ))),
        }
    };
}

/// Packs rows of numbers; returns how many were neither 0 nor 1.
#[pyfunction]
pub(crate) fn pack(
    py: Python<'_>,
    numbers: Tensor<'_>,
    rows: usize,
    neurons: usize,
    words: Tensor<'_>,
) -> PyResult<usize> {
    with_element!(&numbers, pack_as(py, &numbers, rows, neurons, &words))
}

fn pack_as<T: Element + Plain + Sync>(
    py: Python<'_>,
    numbers: &Tensor<'_>,
    rows: usize,
    neurons: usize,
    words: &Tensor<'_>,
) -> PyResult<usize> {
    let numbers = Memory::<T>::of(numbers, "numbers")?;
    let mut words = Written::of(words, "words")?;
    let (numbers, words) = (&*numbers, &mut *words);
    run(py, numbers.len(), move |isa| {
        spikes::pack(isa, numbers, rows, neurons, words)
    })
}

/// Unpacks rows of spikes to zeros and ones.
#[pyfunction]
pub(crate) fn unpack(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    neurons: usize,
    numbers: Tensor<'_>,
) -> PyResult<()> {
    with_element!(&numbers, unpack_as(py, &words, rows, neurons, &numbers))
}

fn unpack_as<T: Element + Plain + Send>(
    py: Python<'_>,
    words: &Tensor<'_>,
    rows: usize,
    neurons: usize,
    numbers: &Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(words, "words")?;
    let mut numbers = Written::<T>::of(numbers, "numbers")?;
    let (words, numbers) = (&*words, &mut *numbers);
    run(py, numbers.len(), move |isa| {
        spikes::unpack(isa, words, rows, neurons, numbers)
    })
}

/// How many spikes there are.
#[pyfunction]
pub(crate) fn count(py: Python<'_>, words: Tensor<'_>) -> PyResult<u64> {
    let words = Memory::of(&words, "words")?;
    let words = &*words;
    run(py, words.len(), move |isa| Ok(spikes::count(isa, words)))
}

/// How often each neuron fires along the middle axis of `[outer, axis, inner]` rows.
#[pyfunction]
pub(crate) fn count_axis(
    py: Python<'_>,
    words: Tensor<'_>,
    shape: (usize, usize, usize),
    neurons: usize,
    counts: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let mut counts = Written::of(&counts, "counts")?;
    let (words, counts) = (&*words, &mut *counts);
    let (outer, axis, inner) = shape;
    run(py, words.len().saturating_add(counts.len()), move |isa| {
        spikes::count_axis(isa, words, outer, axis, inner, neurons, counts)
    })
}

/// When each neuron of `[steps, samples]` rows fires for the first, second, … time.
#[pyfunction]
pub(crate) fn spike_times(
    py: Python<'_>,
    words: Tensor<'_>,
    shape: [usize; 2],
    neurons: usize,
    times: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let mut times = Written::of(&times, "times")?;
    let (words, times) = (&*words, &mut *times);
    run(py, words.len().saturating_add(times.len()), move |isa| {
        spikes::spike_times(isa, words, shape, neurons, times)
    })
}

/// The gradient of `[steps, neurons]` spikes for that of their times.
#[pyfunction]
pub(crate) fn spike_times_gradient(
    py: Python<'_>,
    times: Tensor<'_>,
    grad: Tensor<'_>,
    shape: [usize; 2],
    to_spikes: Tensor<'_>,
) -> PyResult<()> {
    let (times, grad) = (Memory::of(&times, "times")?, Memory::of(&grad, "grad")?);
    let mut to_spikes = Written::of(&to_spikes, "to_spikes")?;
    let (times, grad, to_spikes) = (&*times, &*grad, &mut *to_spikes);
    run(py, to_spikes.len(), move |_| {
        spikes::spike_times_gradient(times, grad, shape, to_spikes)
    })
}

/// Sets the bits of events, given their steps, samples and neurons.
#[pyfunction]
pub(crate) fn from_events(
    py: Python<'_>,
    t: Tensor<'_>,
    b: Tensor<'_>,
    n: Tensor<'_>,
    shape: (usize, usize, usize),
    words: Tensor<'_>,
) -> PyResult<()> {
    // Copied: another thread could change a tensor between the check of an index and its use.
    let copy = |x: &Tensor<'_>, what| Memory::of(x, what).map(|memory| memory.to_vec());
    let (t, b, n) = (copy(&t, "t")?, copy(&b, "b")?, copy(&n, "n")?);
    let mut words = Written::of(&words, "words")?;
    let words = &mut *words;
    run(py, t.len().saturating_add(words.len()), move |_| {
        spikes::from_events(&t, &b, &n, shape.into(), words)
    })
}

/// The events of `[T, B, N]` spikes, sorted.
#[pyfunction]
pub(crate) fn to_events(
    py: Python<'_>,
    words: Tensor<'_>,
    shape: (usize, usize, usize),
    t: Tensor<'_>,
    b: Tensor<'_>,
    n: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let (mut t, mut b, mut n) = (
        Written::of(&t, "t")?,
        Written::of(&b, "b")?,
        Written::of(&n, "n")?,
    );
    let (words, t, b, n) = (&*words, &mut *t, &mut *b, &mut *n);
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
    probabilities: Tensor<'_>,
    period: usize,
    rows: usize,
    neurons: usize,
    words: Tensor<'_>,
) -> PyResult<()> {
    let probabilities = Memory::of(&probabilities, "probabilities")?;
    let mut words = Written::of(&words, "words")?;
    let (probabilities, words) = (&*probabilities, &mut *words);
    run(py, rows.saturating_mul(neurons), move |isa| {
        let stream = Stream { seed, first };
        spikes::bernoulli(isa, stream, probabilities, period, rows, neurons, words)
    })
}

/// Rows of `[outer, inner]` neurons as rows of `[inner, outer]`.
#[pyfunction]
pub(crate) fn swap_axes(
    py: Python<'_>,
    words: Tensor<'_>,
    rows: usize,
    axes: [usize; 2],
    swapped: Tensor<'_>,
) -> PyResult<()> {
    let words = Memory::of(&words, "words")?;
    let mut swapped = Written::of(&swapped, "swapped")?;
    let (words, swapped) = (&*words, &mut *swapped);
    run(py, words.len().saturating_mul(16), move |isa| {
        spikes::swap_axes(isa, words, rows, axes, swapped)
    })
}
