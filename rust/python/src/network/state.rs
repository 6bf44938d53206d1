//! States of networks, and their steps.

use super::target::{Target, copy_rows};
use super::unknown;
use crate::buffer::{Memory, dtype};
use crate::call::{network_error, run_whole};
use crate::tensor::{Dtype, Tensor};
use bitspike::network::{self, Input, State};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;

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

impl NetworkState {
    pub(super) fn new(
        network: Arc<network::Network>,
        samples: usize,
        names: Vec<String>,
    ) -> PyResult<Self> {
        Ok(Self {
            state: network.state(samples).map_err(network_error)?,
            work: network.memory(samples).map_err(network_error)?,
            network,
            names,
            events: Vec::new(),
        })
    }
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
