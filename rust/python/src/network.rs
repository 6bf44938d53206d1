//! Trained networks, step by step.

use crate::buffer::{Memory, Written, dtype};
use crate::call::{network_error, run_whole};
use crate::tensor::{Dtype, Tensor};
use bitspike::network::{self, Input, Kind, Output, State, write};
use bitspike::spikes::layout::{WORD_BITS, words};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;

/// A tensor's name, the dtype of the file, its shape, and its numbers: float32, int32 or bytes.
type Described<'py> = (String, String, Vec<usize>, Tensor<'py>);

/// A network file of a graph and tensors.
#[pyfunction]
pub(crate) fn write_network<'py>(
    py: Python<'py>,
    graph: &str,
    tensors: Vec<Described<'py>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let data = tensors
        .iter()
        .map(|(name, dtype, _, tensor)| {
            let bytes = match dtype.as_str() {
                "F32" => {
                    let numbers = Memory::<f32>::of(tensor, name)?;
                    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
                }
                "I32" => {
                    let numbers = Memory::<i32>::of(tensor, name)?;
                    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
                }
                _ => Memory::<u8>::of(tensor, name)?.to_vec(),
            };
            Ok((file_dtype(dtype)?, bytes))
        })
        .collect::<PyResult<Vec<(network::Dtype, Vec<u8>)>>>()?;
    let tensors = tensors.iter().zip(&data);
    let tensors = tensors.map(|((name, _, shape, _), (dtype, data))| network::Tensor {
        name: name.clone(),
        dtype: *dtype,
        shape: shape.clone(),
        data,
    });
    let bytes = write(graph, tensors.collect()).map_err(network_error)?;
    Ok(PyBytes::new(py, &bytes))
}

fn file_dtype(name: &str) -> PyResult<network::Dtype> {
    use network::Dtype::{F32, I8, I32, U8};
    let found = [F32, I32, I8, U8].into_iter().find(|x| x.name() == name);
    found.ok_or_else(|| PyValueError::new_err(format!("a file holds no {name} from here")))
}

/// A network that was read from a file.
#[pyclass(frozen)]
#[derive(Debug)]
pub(crate) struct Network(Arc<network::Network>);

/// A shape, and whether it is one of spikes.
type Shaped = (Vec<usize>, bool);

fn described((shape, kind): (&[usize], Kind)) -> Shaped {
    (shape.to_vec(), kind == Kind::Spikes)
}

#[pymethods]
impl Network {
    #[new]
    fn new(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let network = run_whole(py, data.len(), || network::Network::from_bytes(data))?;
        Ok(Self(Arc::new(network)))
    }

    #[getter]
    fn digest(&self) -> &str {
        self.0.digest()
    }

    #[getter]
    fn dt(&self) -> f64 {
        self.0.dt()
    }

    #[getter]
    fn input(&self) -> Shaped {
        described(self.0.input())
    }

    #[getter]
    fn outputs(&self) -> Vec<String> {
        self.0.outputs().to_vec()
    }

    fn value(&self, name: &str) -> PyResult<Shaped> {
        let value = self.0.value(name).ok_or_else(|| unknown(name))?;
        Ok(described(value))
    }

    /// Whether a value holds integers.
    fn is_integers(&self, name: &str) -> PyResult<bool> {
        let (_, kind) = self.0.value(name).ok_or_else(|| unknown(name))?;
        Ok(kind == Kind::Integers)
    }

    fn memory(&self, samples: usize) -> PyResult<usize> {
        self.0.memory(samples).map_err(network_error)
    }

    /// A state for so many samples, whose steps give the values of these names.
    fn state(&self, samples: usize, names: Vec<String>) -> PyResult<NetworkState> {
        for name in &names {
            self.value(name)?;
        }
        Ok(NetworkState {
            state: self.0.state(samples).map_err(network_error)?,
            work: self.0.memory(samples).map_err(network_error)?,
            network: self.0.clone(),
            names,
            events: Vec::new(),
        })
    }
}

/// The state of a network, and the values that its steps give.
#[pyclass]
#[derive(Debug)]
pub(crate) struct NetworkState {
    network: Arc<network::Network>,
    state: State,
    names: Vec<String>,
    /// Bytes of the state: an estimate of the work of a step.
    work: usize,
    /// Memory for events.
    events: Vec<u32>,
}

#[pymethods]
impl NetworkState {
    /// A step of events, int64 or int32.
    fn step_events(
        &mut self,
        py: Python<'_>,
        events: Tensor<'_>,
        outputs: Vec<Tensor<'_>>,
    ) -> PyResult<()> {
        self.events.clear();
        if dtype(&events)? == Some(Dtype::Int32) {
            let events = Memory::<i32>::of(&events, "events")?;
            self.events.reserve(events.len());
            for &event in &*events {
                self.events.push(index(event.into())?);
            }
        } else {
            let events = Memory::<i64>::of(&events, "events")?;
            self.events.reserve(events.len());
            for &event in &*events {
                self.events.push(index(event)?);
            }
        }
        let events = std::mem::take(&mut self.events);
        let result = self.step(py, Input::Events(&events), &outputs);
        self.events = events;
        result
    }

    /// A step of words of spikes.
    fn step_words(
        &mut self,
        py: Python<'_>,
        words: Tensor<'_>,
        outputs: Vec<Tensor<'_>>,
    ) -> PyResult<()> {
        let words = Memory::of(&words, "words")?;
        self.step(py, Input::Words(&words), &outputs)
    }

    /// A step of numbers.
    fn step_dense(
        &mut self,
        py: Python<'_>,
        numbers: Tensor<'_>,
        outputs: Vec<Tensor<'_>>,
    ) -> PyResult<()> {
        let numbers = Memory::of(&numbers, "input")?;
        self.step(py, Input::Dense(&numbers), &outputs)
    }

    /// Fills a tensor with the present value of a name.
    fn read(&self, name: &str, out: Tensor<'_>) -> PyResult<()> {
        let output = self.network.output(&self.state).map_err(network_error)?;
        let samples = self.state.samples();
        Target::of(&self.network, name, samples, &out)?.fill(&output, name, samples);
        Ok(())
    }

    /// Fills a tensor with how often each neuron of an output has fired.
    fn counts(&self, name: &str, out: Tensor<'_>) -> PyResult<()> {
        let output = self.network.output(&self.state).map_err(network_error)?;
        output.counts(name, 0).ok_or_else(|| unknown(name))?;
        let samples = self.state.samples();
        match Target::of(&self.network, name, samples, &out)? {
            Target::Numbers(mut out) => copy_rows(&mut out, samples, |b| output.counts(name, b)),
            Target::Words(_) | Target::Integers(_) => {
                return Err(PyValueError::new_err("counts must be float32"));
            }
        }
        Ok(())
    }

    #[getter]
    fn samples(&self) -> usize {
        self.state.samples()
    }

    #[getter]
    fn steps(&self) -> u64 {
        self.state.steps()
    }

    fn reset(&mut self) {
        self.state.reset();
    }

    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = self.network.save(&self.state).map_err(network_error)?;
        Ok(PyBytes::new(py, &saved))
    }

    fn restore(&mut self, data: &[u8]) -> PyResult<()> {
        self.network
            .restore(&mut self.state, data)
            .map_err(network_error)
    }
}

impl NetworkState {
    /// Runs a step, and fills a tensor for each name.
    fn step(&mut self, py: Python<'_>, input: Input<'_>, outputs: &[Tensor<'_>]) -> PyResult<()> {
        if outputs.len() != self.names.len() {
            let message = format!("there are {} outputs for {:?}", outputs.len(), self.names);
            return Err(PyValueError::new_err(message));
        }
        let Self {
            network,
            state,
            names,
            work,
            ..
        } = self;
        let samples = state.samples();
        let mut targets = names
            .iter()
            .zip(outputs)
            .map(|(name, out)| Target::of(network, name, samples, out))
            .collect::<PyResult<Vec<_>>>()?;
        run_whole(py, *work, || network.step(state, input).map(|_| ()))?;
        let output = network.output(state).map_err(network_error)?;
        for (name, target) in names.iter().zip(&mut targets) {
            target.fill(&output, name, samples);
        }
        Ok(())
    }
}

fn index(event: i64) -> PyResult<u32> {
    u32::try_from(event).map_err(|_| PyValueError::new_err(format!("{event} is no input")))
}

fn unknown(name: &str) -> PyErr {
    PyKeyError::new_err(format!("there is no such value as {name:?}"))
}

/// Where a value goes: words of spikes, numbers or integers.
enum Target<'py> {
    Words(Written<'py, u64>),
    Numbers(Written<'py, f32>),
    Integers(Written<'py, i32>),
}

impl<'py> Target<'py> {
    /// A tensor with room for a value of so many samples; words, if it is of int64 and that of spikes.
    fn of(
        network: &network::Network,
        name: &str,
        samples: usize,
        out: &Tensor<'py>,
    ) -> PyResult<Self> {
        let (shape, kind) = network.value(name).ok_or_else(|| unknown(name))?;
        let neurons = shape.iter().product();
        let (target, found, expected) = match (kind, dtype(out)?) {
            (Kind::Spikes, Some(Dtype::Int64)) => {
                let out = Written::of(out, name)?;
                let found = out.len();
                (Self::Words(out), found, samples * words(neurons))
            }
            (Kind::Integers, _) => {
                let out = Written::of(out, name)?;
                let found = out.len();
                (Self::Integers(out), found, samples * neurons)
            }
            _ => {
                let out = Written::of(out, name)?;
                let found = out.len();
                (Self::Numbers(out), found, samples * neurons)
            }
        };
        if found == expected {
            return Ok(target);
        }
        let message =
            format!("an output for {name:?} has {found} elements; it must have {expected}");
        Err(PyValueError::new_err(message))
    }

    /// Copies the value that lies under the name.
    fn fill(&mut self, output: &Output<'_>, name: &str, samples: usize) {
        match (self, output.spikes(name)) {
            (Self::Words(out), Some(spikes)) => out.copy_from_slice(spikes),
            (Self::Numbers(out), Some(spikes)) => {
                let neurons = out.len() / samples;
                let rows = spikes.chunks_exact(words(neurons));
                for (row, out) in rows.zip(out.chunks_exact_mut(neurons)) {
                    for (&word, out) in row.iter().zip(out.chunks_mut(WORD_BITS)) {
                        for (bit, out) in out.iter_mut().enumerate() {
                            *out = (word >> bit & 1) as f32;
                        }
                    }
                }
            }
            (Self::Numbers(out), None) => copy_rows(out, samples, |b| output.numbers(name, b)),
            (Self::Integers(out), _) => copy_rows(out, samples, |b| output.integers(name, b)),
            (Self::Words(_), None) => unreachable!("words are of spikes"),
        }
    }
}

/// Copies a row of numbers for each sample.
fn copy_rows<'a, T: Copy + 'a>(
    out: &mut [T],
    samples: usize,
    row: impl Fn(usize) -> Option<&'a [T]>,
) {
    for (sample, out) in out.chunks_exact_mut(out.len() / samples).enumerate() {
        out.copy_from_slice(row(sample).unwrap_or_default());
    }
}
