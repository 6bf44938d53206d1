//! How a call crosses from Python and what comes back when it fails.

use bitspike::Error;
use bitspike::simd::Isa;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Below this many elementary steps a call keeps the GIL: it is over before another thread could
/// take it.
const RELEASE: usize = 16 * 1024;

/// Runs the body of a native function on the active instruction set.
///
/// A panic is a bug of ours; it reaches Python as `RuntimeError`, not as pyo3's `PanicException`,
/// which `except Exception` would miss.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    work: usize,
    body: impl FnOnce(Isa) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let isa = Isa::active().map_err(to_python)?;
    let body = move || catch_unwind(AssertUnwindSafe(move || body(isa)));
    let result = if work < RELEASE {
        body()
    } else {
        py.detach(body)
    };
    match result {
        Ok(result) => result.map_err(to_python),
        Err(panic) => Err(internal_error(panic.as_ref())),
    }
}

pub(crate) fn to_python(error: Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn internal_error(panic: &(dyn std::any::Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    PyRuntimeError::new_err(format!(
        "internal error in bitspike, please report it: {text}"
    ))
}
