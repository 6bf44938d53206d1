//! What the native module is and what it runs on.

use crate::buffer::TorchPool;
use crate::call::to_python;
use bitspike::neuron::Mechanism;
use bitspike::parallel;
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::simd::Isa;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The registries, the instruction sets and the version, as a dict.
#[pyfunction]
pub(crate) fn describe(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let neurons = PyDict::new(py);
    for kind in NeuronKind::ALL {
        let resets: Vec<_> = kind.resets().iter().map(|reset| reset.name()).collect();
        let (parameters, states) = (kind.parameters().to_vec(), kind.states().to_vec());
        let about = (parameters, states, resets, kind.has_immediate_reset());
        neurons.set_item(kind.name(), about)?;
    }
    let surrogates = PyDict::new(py);
    for (name, parameters) in AnySurrogate::ALL {
        surrogates.set_item(name, parameters.to_vec())?;
    }
    let about = PyDict::new(py);
    about.set_item("version", env!("CARGO_PKG_VERSION"))?;
    about.set_item("isa", Isa::active().map_err(to_python)?.name())?;
    about.set_item(
        "isas",
        Isa::available()
            .iter()
            .map(|isa| isa.name())
            .collect::<Vec<_>>(),
    )?;
    about.set_item("threads", parallel::threads())?;
    about.set_item("neurons", neurons)?;
    about.set_item("surrogates", surrogates)?;
    about.set_item("resets", Mechanism::ALL.map(Mechanism::name))?;
    Ok(about)
}

/// Makes later calls use the instruction set of that name, or the fastest for None.
#[pyfunction]
pub(crate) fn force_isa(name: Option<&str>) -> PyResult<&'static str> {
    Isa::force(name).map(Isa::name).map_err(to_python)
}

/// Makes later calls run on torch's threads, given the addresses of `torch_parallel_for` and
/// `torch_get_num_threads`. Returns False if a pool is already in place.
#[pyfunction]
pub(crate) fn install_torch_pool(parallel_for: usize, num_threads: usize) -> PyResult<bool> {
    Ok(parallel::install(Box::new(TorchPool::new(
        parallel_for,
        num_threads,
    )?)))
}
