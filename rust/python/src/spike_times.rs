//! Layers in continuous time.

use crate::buffer::{Memory, Written};
use crate::call::{run, to_python};
use crate::tensor::{Plain, Tensor};
use bitspike::Error;
use bitspike::spike_times::{Dynamics, Gradients, Layer, Recurrent, Trains, backward, forward};
use pyo3::prelude::*;

/// A layer as Python describes it: `(τ_mem, τ_syn, θ)`, numbers of neurons and inputs, weights, delays,
/// the weights and the delays of its way back, the end of time, and the most spikes of a neuron.
#[derive(Debug, FromPyObject)]
pub(crate) struct LayerArguments<'py>(
    (f64, f64, f64),
    [usize; 2],
    Tensor<'py>,
    Option<Tensor<'py>>,
    Option<Tensor<'py>>,
    Option<Tensor<'py>>,
    f64,
    usize,
);

/// A layer with the memory of its tensors.
#[derive(Debug)]
struct LayerMemory<'py> {
    dynamics: Dynamics,
    neurons: usize,
    inputs: usize,
    weights: Memory<'py, f64>,
    delays: Option<Memory<'py, f64>>,
    recurrent_weights: Option<Memory<'py, f64>>,
    recurrent_delays: Option<Memory<'py, f64>>,
    until: f64,
    limit: usize,
}

impl<'py> LayerArguments<'py> {
    fn memory(&self) -> PyResult<LayerMemory<'py>> {
        let Self(constants, sizes, weights, delays, back, back_delays, until, limit) = self;
        let optional =
            |x: &Option<Tensor<'py>>, what| x.as_ref().map(|x| Memory::of(x, what)).transpose();
        Ok(LayerMemory {
            dynamics: Dynamics {
                tau_mem: constants.0,
                tau_syn: constants.1,
                threshold: constants.2,
            },
            neurons: sizes[0],
            inputs: sizes[1],
            weights: Memory::of(weights, "weights")?,
            delays: optional(delays, "delays")?,
            recurrent_weights: optional(back, "recurrent weights")?,
            recurrent_delays: optional(back_delays, "recurrent delays")?,
            until: *until,
            limit: *limit,
        })
    }
}

impl LayerMemory<'_> {
    fn layer(&self) -> Layer<'_> {
        Layer {
            dynamics: self.dynamics,
            weights: &self.weights,
            delays: self.delays.as_deref(),
            recurrent: self.recurrent_weights.as_deref().map(|weights| Recurrent {
                weights,
                delays: self.recurrent_delays.as_deref(),
            }),
            inputs: self.inputs,
            neurons: self.neurons,
            until: self.until,
            limit: self.limit,
        }
    }

    fn work(&self, events: usize) -> usize {
        events.saturating_mul(self.neurons)
    }
}

/// Spikes of all samples: where samples start, times, neurons. Python must not hold the only copy of what
/// is used as an index, so starts and neurons are copied.
#[derive(Debug)]
struct TrainsMemory<'py> {
    starts: Vec<i64>,
    times: Memory<'py, f64>,
    neurons: Vec<i64>,
}

impl<'py> TrainsMemory<'py> {
    fn of((starts, times, neurons): &(Tensor<'py>, Tensor<'py>, Tensor<'py>)) -> PyResult<Self> {
        Ok(Self {
            starts: Memory::of(starts, "starts")?.to_vec(),
            times: Memory::of(times, "times")?,
            neurons: Memory::of(neurons, "neurons")?.to_vec(),
        })
    }

    fn trains(&self) -> Trains<'_> {
        Trains {
            starts: &self.starts,
            times: &self.times,
            neurons: &self.neurons,
        }
    }
}

/// The spikes that a layer has fired, until Python has room for them.
#[pyclass(frozen)]
#[derive(Debug)]
pub(crate) struct Fired(bitspike::spike_times::Fired);

#[pymethods]
impl Fired {
    fn __len__(&self) -> usize {
        self.0.times.len()
    }

    /// Writes where samples start, times, neurons and slopes.
    fn write(
        &self,
        starts: Tensor<'_>,
        times: Tensor<'_>,
        neurons: Tensor<'_>,
        slopes: Tensor<'_>,
    ) -> PyResult<()> {
        copy(&self.0.starts, &starts, "starts")?;
        copy(&self.0.times, &times, "times")?;
        copy(&self.0.neurons, &neurons, "neurons")?;
        copy(&self.0.slopes, &slopes, "slopes")
    }
}

fn written<'py>(out: Option<&Tensor<'py>>) -> PyResult<Option<Written<'py, f64>>> {
    out.map(|out| Written::of(out, "gradients")).transpose()
}

fn copy<T: Plain>(from: &[T], to: &Tensor<'_>, what: &'static str) -> PyResult<()> {
    let mut to = Written::of(to, what)?;
    let (found, expected) = (to.len(), from.len());
    if found != expected {
        return Err(to_python(Error::Length {
            what,
            found,
            expected,
        }));
    }
    to.copy_from_slice(from);
    Ok(())
}

/// Runs a layer.
#[pyfunction]
pub(crate) fn spike_times_forward(
    py: Python<'_>,
    layer: LayerArguments<'_>,
    inputs: (Tensor<'_>, Tensor<'_>, Tensor<'_>),
) -> PyResult<Fired> {
    let (layer, inputs) = (layer.memory()?, TrainsMemory::of(&inputs)?);
    let (layer_, trains) = (layer.layer(), inputs.trains());
    run(py, layer.work(trains.times.len()), move |_| {
        forward(&layer_, trains).map(Fired)
    })
}

/// Sends the gradients of the times of a layer's spikes back.
#[pyfunction]
#[pyo3(signature = (layer, inputs, fired, slopes, upstream, *, weights, delays, times, recurrent_weights, recurrent_delays))]
#[expect(
    clippy::too_many_arguments,
    reason = "each gradient is given by its name"
)]
pub(crate) fn spike_times_backward(
    py: Python<'_>,
    layer: LayerArguments<'_>,
    inputs: (Tensor<'_>, Tensor<'_>, Tensor<'_>),
    fired: (Tensor<'_>, Tensor<'_>, Tensor<'_>),
    slopes: Tensor<'_>,
    upstream: Tensor<'_>,
    weights: Option<Tensor<'_>>,
    delays: Option<Tensor<'_>>,
    times: Option<Tensor<'_>>,
    recurrent_weights: Option<Tensor<'_>>,
    recurrent_delays: Option<Tensor<'_>>,
) -> PyResult<()> {
    let (layer, inputs) = (layer.memory()?, TrainsMemory::of(&inputs)?);
    let fired = TrainsMemory::of(&fired)?;
    let fired = bitspike::spike_times::Fired {
        starts: fired.starts,
        times: fired.times.to_vec(),
        neurons: fired.neurons,
        slopes: Memory::of(&slopes, "slopes")?.to_vec(),
    };
    let upstream = Memory::of(&upstream, "upstream")?;
    let mut weights = written(weights.as_ref())?;
    let mut delays = written(delays.as_ref())?;
    let mut times = written(times.as_ref())?;
    let mut recurrent_weights = written(recurrent_weights.as_ref())?;
    let mut recurrent_delays = written(recurrent_delays.as_ref())?;
    let gradients = Gradients {
        weights: weights.as_deref_mut(),
        delays: delays.as_deref_mut(),
        times: times.as_deref_mut(),
        recurrent_weights: recurrent_weights.as_deref_mut(),
        recurrent_delays: recurrent_delays.as_deref_mut(),
    };
    let (layer_, trains, upstream) = (layer.layer(), inputs.trains(), &*upstream);
    run(py, layer.work(trains.times.len()), move |_| {
        backward(&layer_, trains, &fired, upstream, gradients)
    })
}
