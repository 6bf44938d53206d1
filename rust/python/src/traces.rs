//! Traces, and synapses that learn from them.

use crate::buffer::{Memory, Written, dtype};
use crate::call::run;
use crate::tensor::{Dtype, Plain, Tensor};
use crate::view::Sizes;
use bitspike::tiling::Shape;
use bitspike::traces::{
    Decay, Learning, Moment, Pairs, Real, Side, Trace, filter, learn, sum, weighted_sums,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Calls a generic function with the element type of a tensor.
macro_rules! with_real {
    ($tensor:expr, $function:ident($($argument:expr),*)) => {
        match dtype($tensor)? {
            Some(Dtype::Float32) => $function::<f32>($($argument),*),
            Some(Dtype::Float64) => $function::<f64>($($argument),*),
            _ => Err(PyTypeError::new_err(format!(
                "synapses of dtype {} do not learn",
                $tensor.0.getattr("dtype")?
            ))),
        }
    };
}

/// A number that Python gives as a double.
pub(crate) trait Rounded: Plain + Real {
    /// The nearest number of this type.
    fn rounded(x: f64) -> Self;
}

impl Rounded for f32 {
    fn rounded(x: f64) -> Self {
        x as Self
    }
}

impl Rounded for f64 {
    fn rounded(x: f64) -> Self {
        x
    }
}

/// A trace as Python describes it: what remains of it after a step, or its time constant for Euler's
/// method; whether that is so; whether it knows the nearest spike alone; whether it is read after the
/// spike of its own step.
#[derive(Clone, Copy, Debug, FromPyObject)]
pub(crate) struct TraceArguments(f64, bool, bool, bool);

/// The neurons on one side: how many, spikes, traces, gains.
#[derive(Debug, FromPyObject)]
pub(crate) struct SideArguments<'py>(usize, Tensor<'py>, Tensor<'py>, Option<Tensor<'py>>);

/// Steps, samples, inputs, outputs.
#[derive(Debug, FromPyObject)]
pub(crate) struct PairArguments<'py>(usize, usize, SideArguments<'py>, SideArguments<'py>);

/// A rule: rate, how weights rise and fall, bounds.
#[derive(Clone, Copy, Debug, FromPyObject)]
pub(crate) struct LearningArguments(f64, [f64; 2], [f64; 2], [f64; 2]);

/// The trace of every neuron at every step; `state` is what it was before, and becomes what it is after.
#[pyfunction]
pub(crate) fn traces_filter(
    py: Python<'_>,
    spikes: Tensor<'_>,
    shape: Sizes,
    trace: TraceArguments,
    state: Tensor<'_>,
    out: Tensor<'_>,
) -> PyResult<()> {
    with_real!(
        &out,
        filter_as(py, &spikes, shape.into(), trace, [&state, &out])
    )
}

fn filter_as<T: Rounded>(
    py: Python<'_>,
    spikes: &Tensor<'_>,
    shape: Shape,
    TraceArguments(forgets, euler, nearest, after): TraceArguments,
    [state, out]: [&Tensor<'_>; 2],
) -> PyResult<()> {
    let spikes = Memory::of(spikes, "spikes")?;
    let mut state = Written::of(state, "state")?;
    let mut out = Written::of(out, "out")?;
    let forgets = T::rounded(forgets);
    let decay = if euler {
        Decay::Euler(forgets)
    } else {
        Decay::Factor(forgets)
    };
    let moment = if after { Moment::After } else { Moment::Before };
    let trace = Trace { decay, nearest };
    let (spikes, state, out) = (&*spikes, &mut *state, &mut *out);
    run(py, out.len(), move |isa| {
        filter(isa, spikes, shape, trace, moment, state, out)
    })
}

/// The spikes of each neuron, weighted by their steps, in each of some ways.
#[pyfunction]
pub(crate) fn traces_weighted_sums(
    py: Python<'_>,
    spikes: Tensor<'_>,
    shape: Sizes,
    traces: usize,
    weights: Tensor<'_>,
    sums: Tensor<'_>,
) -> PyResult<()> {
    let numbers = [&weights, &sums];
    with_real!(
        &sums,
        weighted_sums_as(py, &spikes, shape.into(), traces, numbers)
    )
}

fn weighted_sums_as<T: Rounded>(
    py: Python<'_>,
    spikes: &Tensor<'_>,
    shape: Shape,
    traces: usize,
    [weights, sums]: [&Tensor<'_>; 2],
) -> PyResult<()> {
    let spikes = Memory::of(spikes, "spikes")?;
    let weights = Memory::<T>::of(weights, "weights")?;
    let mut sums = Written::of(sums, "sums")?;
    let (spikes, weights, sums) = (&*spikes, &*weights, &mut *sums);
    run(py, spikes.len().saturating_add(sums.len()), move |isa| {
        weighted_sums(isa, spikes, shape, traces, weights, sums)
    })
}

/// Pairs with the memory of their tensors.
struct PairMemory<'py, T> {
    steps: usize,
    samples: usize,
    pre: SideMemory<'py, T>,
    post: SideMemory<'py, T>,
}

struct SideMemory<'py, T> {
    neurons: usize,
    spikes: Memory<'py, u64>,
    trace: Memory<'py, T>,
    gain: Option<Memory<'py, T>>,
}

impl<'py, T: Rounded> SideMemory<'py, T> {
    fn of(side: &SideArguments<'py>) -> PyResult<Self> {
        let SideArguments(neurons, spikes, trace, gain) = side;
        let gain = gain.as_ref().map(|gain| Memory::of(gain, "gains"));
        Ok(Self {
            neurons: *neurons,
            spikes: Memory::of(spikes, "spikes")?,
            trace: Memory::of(trace, "traces")?,
            gain: gain.transpose()?,
        })
    }

    fn side(&self) -> Side<'_, T> {
        Side {
            neurons: self.neurons,
            spikes: &self.spikes,
            trace: &self.trace,
            gain: self.gain.as_deref(),
        }
    }
}

impl<'py, T: Rounded> PairMemory<'py, T> {
    fn of(pairs: &PairArguments<'py>) -> PyResult<Self> {
        let PairArguments(steps, samples, pre, post) = pairs;
        Ok(Self {
            steps: *steps,
            samples: *samples,
            pre: SideMemory::of(pre)?,
            post: SideMemory::of(post)?,
        })
    }

    fn pairs(&self) -> Pairs<'_, T> {
        Pairs {
            steps: self.steps,
            samples: self.samples,
            pre: self.pre.side(),
            post: self.post.side(),
        }
    }

    fn work(&self) -> usize {
        self.pre.trace.len() + self.post.trace.len()
    }
}

/// Weights change at every step.
#[pyfunction]
pub(crate) fn traces_learn(
    py: Python<'_>,
    pairs: PairArguments<'_>,
    rule: LearningArguments,
    weights: Tensor<'_>,
) -> PyResult<()> {
    with_real!(&weights, learn_as(py, &pairs, rule, &weights))
}

fn learn_as<T: Rounded>(
    py: Python<'_>,
    pairs: &PairArguments<'_>,
    LearningArguments(rate, rise, fall, bounds): LearningArguments,
    weights: &Tensor<'_>,
) -> PyResult<()> {
    let memory = PairMemory::<T>::of(pairs)?;
    let mut weights = Written::of(weights, "weights")?;
    let rule = Learning {
        rate: T::rounded(rate),
        rise: rise.map(T::rounded),
        fall: fall.map(T::rounded),
        bounds: bounds.map(T::rounded),
    };
    let (pairs, weights) = (memory.pairs(), &mut *weights);
    run(py, memory.work() + weights.len(), move |isa| {
        learn(isa, &pairs, rule, weights)
    })
}

/// What weights that stay as they are would change by is added to `sums`.
#[pyfunction]
pub(crate) fn traces_sum(
    py: Python<'_>,
    pairs: PairArguments<'_>,
    rise: Tensor<'_>,
    fall: Tensor<'_>,
    sums: Tensor<'_>,
) -> PyResult<()> {
    with_real!(&sums, sum_as(py, &pairs, [&rise, &fall], &sums))
}

fn sum_as<T: Rounded>(
    py: Python<'_>,
    pairs: &PairArguments<'_>,
    [rise, fall]: [&Tensor<'_>; 2],
    sums: &Tensor<'_>,
) -> PyResult<()> {
    let memory = PairMemory::<T>::of(pairs)?;
    let (rise, fall) = (Memory::of(rise, "rise")?, Memory::of(fall, "fall")?);
    let mut sums = Written::of(sums, "sums")?;
    let (pairs, sums) = (memory.pairs(), &mut *sums);
    let (rise, fall) = (&*rise, &*fall);
    run(py, memory.work() + sums.len(), move |isa| {
        sum(isa, &pairs, rise, fall, sums)
    })
}
