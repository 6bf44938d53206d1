//! How a call crosses from Python and what comes back when it fails.

use bitspike::Error;
use bitspike::network;
use bitspike::parallel::{Interrupted, interruptible};
use bitspike::simd::Isa;
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Below this many elementary steps a call keeps the GIL: it is over before another thread could
/// take it.
const RELEASE: usize = 16 * 1024;

thread_local! {
    /// What a signal's handler has raised while a native call ran on this thread.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Runs the body of a native function on the active instruction set.
///
/// While a long one runs, signals are handled as between two lines of Python; if a handler raises, as
/// that of Ctrl-C does, the call is given up. What it was to write is lost with it, and nobody has
/// seen it yet.
///
/// A panic is a bug of ours; it reaches Python as `RuntimeError`, not as pyo3's `PanicException`,
/// which `except Exception` would miss.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    work: usize,
    body: impl FnOnce(Isa) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let isa = Isa::active().map_err(to_python)?;
    let result = if work < RELEASE {
        catch_unwind(AssertUnwindSafe(|| Ok(body(isa))))
    } else {
        py.detach(|| {
            catch_unwind(AssertUnwindSafe(|| {
                interruptible(is_signalled, || body(isa))
            }))
        })
    };
    match result {
        Ok(Ok(result)) => result.map_err(to_python),
        Ok(Err(Interrupted)) => {
            let raised = RAISED.with(RefCell::take);
            Err(raised.unwrap_or_else(|| PyKeyboardInterrupt::new_err(())))
        }
        Err(panic) => Err(internal_error(panic.as_ref())),
    }
}

/// Runs the body of a native function that must not be given up half-way; no signal is handled
/// meanwhile.
pub(crate) fn run_whole<T: Send, E: Display + Send>(
    py: Python<'_>,
    work: usize,
    body: impl FnOnce() -> Result<T, E> + Send,
) -> PyResult<T> {
    let body = || catch_unwind(AssertUnwindSafe(body));
    let result = if work < RELEASE {
        body()
    } else {
        py.detach(body)
    };
    match result {
        Ok(result) => result.map_err(|error| PyValueError::new_err(error.to_string())),
        Err(panic) => Err(internal_error(panic.as_ref())),
    }
}

pub(crate) fn network_error(error: network::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Whether a signal has come whose handler raises. Only Python's main thread handles signals.
fn is_signalled() -> bool {
    Python::attach(|py| match py.check_signals() {
        Ok(()) => false,
        Err(error) => {
            RAISED.with(|raised| raised.replace(Some(error)));
            true
        }
    })
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
