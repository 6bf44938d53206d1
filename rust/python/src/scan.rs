//! Linear scans.

use crate::buffer::{Memory, Written};
use crate::call::run;
use crate::tensor::Tensor;
use crate::view::{Axes, Constant, Sizes, View};
use bitspike::scan::{Gradients, Scan, backward, forward};
use bitspike::tiling::Shape;
use pyo3::prelude::*;

/// A scan as Python describes it: `(T, B, N)`, rows per sample that share a decay, whether there is
/// an axis of samples, whether the decay differs from step to step, whether the scan is rectified,
/// decay, input, key, initial value. With a key there is an outer product per step, and a sample
/// has as many rows as the input has values.
#[derive(Debug, FromPyObject)]
pub(crate) struct ScanArguments<'py>(
    Sizes,
    usize,
    bool,
    bool,
    bool,
    Constant<'py>,
    Option<Tensor<'py>>,
    Option<Tensor<'py>>,
    Option<Tensor<'py>>,
);

/// A scan with the memory of its tensors.
#[derive(Debug)]
struct ScanViews<'py> {
    shape: Shape,
    group: usize,
    rectified: bool,
    decay: View<'py>,
    input: View<'py>,
    key: Option<View<'py>>,
    initial: View<'py>,
    /// A view of a tensor shaped like the outputs.
    outputs: Axes,
}

impl<'py> ScanArguments<'py> {
    fn views(&self) -> PyResult<ScanViews<'py>> {
        let Self(sizes, group, batched, varies, rectified, decay, input, key, initial) = self;
        let sequence = Axes::new(*sizes, *batched);
        let rows = sequence.shape.samples.saturating_mul(*group);
        let shape = Shape {
            samples: rows,
            ..sequence.shape
        };
        let input = match (input, key) {
            (Some(input), Some(_)) => View::column(input, rows, "x")?,
            _ => View::shaped(input.as_ref(), sequence, true, "x")?,
        };
        Ok(ScanViews {
            shape,
            group: *group,
            rectified: *rectified,
            decay: match decay {
                Constant::Values(decay) if *varies => {
                    View::shaped(Some(decay), sequence, true, "decay")?
                }
                _ => View::constant(decay, sequence.shape, "decay")?,
            },
            input,
            key: key
                .as_ref()
                .map(|key| View::shaped(Some(key), sequence, true, "key"))
                .transpose()?,
            initial: match initial {
                Some(initial) => View::values(initial, shape, "initial")?,
                None => View::shaped(None, sequence, false, "initial")?,
            },
            outputs: Axes { shape, ..sequence },
        })
    }
}

impl ScanViews<'_> {
    fn scan(&self) -> Scan<'_> {
        Scan {
            shape: self.shape,
            group: self.group,
            decay: self.decay.strided(),
            input: self.input.strided(),
            key: self.key.as_ref().map(View::strided),
            initial: self.initial.strided(),
            rectified: self.rectified,
        }
    }
}

/// `y[t] = a[t]·y[t-1] + x[t]`
#[pyfunction]
pub(crate) fn scan_forward(
    py: Python<'_>,
    scan: ScanArguments<'_>,
    outputs: Tensor<'_>,
) -> PyResult<()> {
    let views = scan.views()?;
    let mut outputs = Written::of(&outputs, "outputs")?;
    let (scan, outputs) = (views.scan(), &mut *outputs);
    run(py, outputs.len(), move |isa| forward(isa, &scan, outputs))
}

/// Sends the gradient of the outputs back; each gradient that is not None is filled.
#[pyfunction]
#[allow(
    clippy::too_many_arguments,
    reason = "a scan and its outputs, what comes in, what goes out"
)]
pub(crate) fn scan_backward<'py>(
    py: Python<'py>,
    scan: ScanArguments<'py>,
    outputs: Tensor<'py>,
    grad: Tensor<'py>,
    input: Option<Tensor<'py>>,
    key: Option<Tensor<'py>>,
    decay: Option<Tensor<'py>>,
    initial: Option<Tensor<'py>>,
) -> PyResult<()> {
    let views = scan.views()?;
    let outputs = Memory::of(&outputs, "outputs")?;
    // Rows of an outer product lie on an axis of their own, behind the samples.
    let grad = match views.key {
        Some(_) => grad.contiguous()?,
        None => grad,
    };
    let grad = View::shaped(Some(&grad), views.outputs, true, "grad")?;
    let write = |x: Option<Tensor<'py>>, what| x.map(|x| Written::of(&x, what)).transpose();
    let (mut input, mut key) = (write(input, "input")?, write(key, "key")?);
    let (mut decay, mut initial) = (write(decay, "decay")?, write(initial, "initial")?);
    let gradients = Gradients {
        input: input.as_deref_mut(),
        key: key.as_deref_mut(),
        decay: decay.as_deref_mut(),
        initial: initial.as_deref_mut(),
    };
    let (scan, outputs, grad) = (views.scan(), &*outputs, grad.strided());
    run(py, outputs.len(), move |isa| {
        backward(isa, &scan, outputs, grad, gradients)
    })
}
