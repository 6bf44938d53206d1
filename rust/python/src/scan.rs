//! Linear scans.

use crate::buffer::Buffer;
use crate::call::run;
use crate::sequence::View;
use bitspike::sequence::Shape;
use bitspike::sequence::scan::{Gradients, Scan, backward, forward};
use pyo3::prelude::*;

/// A scan as Python describes it: `(T, R, N)`, rows per group, whether it is rectified, decay,
/// input, key, initial value.
#[derive(Clone, Copy, Debug, FromPyObject)]
pub(crate) struct ScanArguments(
    (usize, usize, usize),
    usize,
    bool,
    View,
    View,
    Option<View>,
    View,
);

impl ScanArguments {
    fn scan<'a>(self) -> PyResult<Scan<'a>> {
        let Self((steps, samples, neurons), group, rectified, decay, input, key, initial) = self;
        Ok(Scan {
            shape: Shape {
                steps,
                samples,
                neurons,
            },
            group,
            decay: decay.strided()?,
            input: input.strided()?,
            key: key.map(View::strided).transpose()?,
            initial: initial.strided()?,
            rectified,
        })
    }
}

/// `y[t] = a[t]·y[t-1] + x[t]`
#[pyfunction]
pub(crate) fn scan_forward(py: Python<'_>, scan: ScanArguments, outputs: Buffer) -> PyResult<()> {
    let (scan, outputs) = (scan.scan()?, outputs.write()?);
    run(py, outputs.len(), move |isa| forward(isa, &scan, outputs))
}

/// Sends the gradient of the outputs back; each gradient that is not None is filled.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a scan and its outputs, what comes in, what goes out"
)]
pub(crate) fn scan_backward(
    py: Python<'_>,
    scan: ScanArguments,
    outputs: Buffer,
    grad: View,
    input: Option<Buffer>,
    key: Option<Buffer>,
    decay: Option<Buffer>,
    initial: Option<Buffer>,
) -> PyResult<()> {
    let (scan, outputs, grad) = (scan.scan()?, outputs.read()?, grad.strided()?);
    let gradients = Gradients {
        input: input.map(Buffer::write).transpose()?,
        key: key.map(Buffer::write).transpose()?,
        decay: decay.map(Buffer::write).transpose()?,
        initial: initial.map(Buffer::write).transpose()?,
    };
    run(py, outputs.len(), move |isa| {
        backward(isa, &scan, outputs, grad, gradients)
    })
}
