//! Trained networks, step by step.

mod file;
mod state;
mod target;

use crate::call::{network_error, run_whole};
use bitspike::network::{self, Kind};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use std::sync::Arc;

pub(crate) use file::write_network;
pub(crate) use state::NetworkState;

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
        NetworkState::new(self.0.clone(), samples, names)
    }
}

fn unknown(name: &str) -> PyErr {
    PyKeyError::new_err(format!("there is no such value as {name:?}"))
}
