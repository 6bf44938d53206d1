//! Tensors as the views of sequences that kernels read.

use crate::buffer::{Memory, Order};
use crate::tensor::Tensor;
use bitspike::tiling::{Shape, Strided};
use pyo3::Borrowed;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyFloat;

/// The sizes of a sequence as Python says them: `(T, B, N)`.
#[derive(Clone, Copy, Debug, FromPyObject)]
pub(crate) struct Sizes(usize, usize, usize);

impl From<Sizes> for Shape {
    fn from(Sizes(steps, samples, neurons): Sizes) -> Self {
        Self {
            steps,
            samples,
            neurons,
        }
    }
}

/// What the axes of a layer's tensors are: `[T, B, *features]`, or without `T` or `B`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axes {
    /// The sizes; one that has no axis is 1.
    pub(crate) shape: Shape,
    /// Whether there is an axis of samples.
    pub(crate) batched: bool,
}

impl Axes {
    pub(crate) fn new(sizes: Sizes, batched: bool) -> Self {
        let shape = sizes.into();
        Self { shape, batched }
    }

    /// Checks the sizes of a tensor's axes.
    fn expect(self, sizes: &[usize], has_time: bool, what: &str) -> PyResult<()> {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let mut rest = sizes.iter().copied();
        let lead = !has_time || rest.next() == Some(steps);
        let lead = lead && (!self.batched || rest.next() == Some(samples));
        if lead && rest.product::<usize>() == neurons {
            return Ok(());
        }
        Err(PyValueError::new_err(format!(
            "{what} has the shape {sizes:?}, but belongs to {steps} steps of {samples} samples of \
             {neurons} neurons"
        )))
    }
}

/// A number that is the same at all steps, or one for each neuron, or one for each of a sample.
#[derive(Debug)]
pub(crate) enum Constant<'py> {
    /// A number of Python's.
    Value(f32),
    /// One value, `[N]` or `[B, N]`.
    Values(Tensor<'py>),
}

impl<'py> FromPyObject<'_, 'py> for Constant<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        // A tensor of one element can become a number of Python's too, whatever its dtype.
        match object.cast::<PyFloat>() {
            Ok(number) => number.extract().map(Self::Value),
            Err(_) => object.extract().map(Self::Values),
        }
    }
}

/// What a view reads.
#[derive(Debug)]
enum Source<'py> {
    Value(f32),
    Memory(Memory<'py, f32>),
}

/// A view `[T, B, N]` of a tensor, which it keeps alive, or of one value everywhere.
#[derive(Debug)]
pub(crate) struct View<'py> {
    source: Source<'py>,
    time: usize,
    sample: usize,
    per_neuron: bool,
}

impl<'py> View<'py> {
    const fn value(value: f32) -> Self {
        Self {
            source: Source::Value(value),
            time: 0,
            sample: 0,
            per_neuron: false,
        }
    }

    /// A tensor shaped like a sequence, if it `has_time`, or like one step of it; 0 without one.
    ///
    /// Strides of time and sample are free, so that an expanded gradient is read in place. Features
    /// must lie side by side or all share one value; where they do not, the tensor is copied.
    ///
    /// # Errors
    /// As `Memory::of`.
    pub(crate) fn shaped(
        tensor: Option<&Tensor<'py>>,
        axes: Axes,
        has_time: bool,
        what: &str,
    ) -> PyResult<Self> {
        let Some(tensor) = tensor else {
            return Ok(Self::value(0.0));
        };
        let (memory, order) = Memory::laid(tensor, what)?;
        let (sizes, strides) = match order {
            Order::Strided(sizes, strides) => (sizes, strides),
            Order::RowMajor => {
                let Shape {
                    steps,
                    samples,
                    neurons,
                } = axes.shape;
                let sizes = [if has_time { steps } else { 1 }, samples, neurons];
                expect_length(memory.len(), &[&sizes], what)?;
                return Ok(Self {
                    source: Source::Memory(memory),
                    time: if has_time { samples * neurons } else { 0 },
                    sample: neurons,
                    per_neuron: true,
                });
            }
        };
        let lead = usize::from(has_time) + usize::from(axes.batched);
        axes.expect(&sizes, has_time, what)?;
        let ((lead_sizes, sizes), (lead_strides, strides)) =
            (sizes.split_at(lead), strides.split_at(lead));
        let Some(per_neuron) = features_differ(sizes, strides) else {
            return Self::shaped(Some(&tensor.contiguous()?), axes, has_time, what);
        };
        let mut lead = lead_sizes.iter().zip(lead_strides);
        let mut next = |there: bool| match there.then(|| lead.next()).flatten() {
            Some((&size, &stride)) if size > 1 => stride,
            _ => 0,
        };
        Ok(Self {
            source: Source::Memory(memory),
            time: next(has_time),
            sample: next(axes.batched),
            per_neuron,
        })
    }

    /// What is the same at all steps.
    ///
    /// # Errors
    /// As `Memory::of`.
    pub(crate) fn constant(constant: &Constant<'py>, shape: Shape, what: &str) -> PyResult<Self> {
        match constant {
            Constant::Value(value) => Ok(Self::value(*value)),
            Constant::Values(tensor) => Self::values(tensor, shape, what),
        }
    }

    /// A tensor that is the same at all steps: one value, `[N]` or `[B, N]`.
    ///
    /// # Errors
    /// As `Memory::of`.
    pub(crate) fn values(tensor: &Tensor<'py>, shape: Shape, what: &str) -> PyResult<Self> {
        let memory = Memory::of(tensor, what)?;
        let Shape {
            samples, neurons, ..
        } = shape;
        expect_length(memory.len(), &[&[1], &[neurons], &[samples, neurons]], what)?;
        Ok(Self {
            time: 0,
            sample: if memory.len() > neurons { neurons } else { 0 },
            per_neuron: memory.len() != 1,
            source: Source::Memory(memory),
        })
    }

    /// A tensor `[T, *rows]`, in which all neurons of a row share its value.
    ///
    /// # Errors
    /// As `Memory::of`.
    pub(crate) fn column(tensor: &Tensor<'py>, rows: usize, what: &str) -> PyResult<Self> {
        Ok(Self {
            source: Source::Memory(Memory::of(tensor, what)?),
            time: rows,
            sample: 1,
            per_neuron: false,
        })
    }

    /// The view as kernels read it.
    pub(crate) fn strided(&self) -> Strided<'_> {
        match &self.source {
            Source::Value(value) => Strided::constant(value),
            Source::Memory(memory) => Strided {
                data: memory,
                time: self.time,
                sample: self.sample,
                per_neuron: self.per_neuron,
            },
        }
    }

    /// Several views as kernels read them.
    pub(crate) fn all(views: &[Self]) -> Vec<Strided<'_>> {
        views.iter().map(Self::strided).collect()
    }
}

/// Checks a number of elements against the sizes that it may be the product of.
fn expect_length(length: usize, allowed: &[&[usize]], what: &str) -> PyResult<()> {
    let product = |sizes: &&[usize]| {
        let mut sizes = sizes.iter();
        sizes.try_fold(1_usize, |product, &size| product.checked_mul(size))
    };
    if allowed.iter().any(|sizes| product(sizes) == Some(length)) {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{what} has {length} elements, but its sizes must be one of {allowed:?}"
    )))
}

/// Whether features lie side by side (true) or all share one value (false); None for neither.
fn features_differ(sizes: &[usize], strides: &[usize]) -> Option<bool> {
    let mut side_by_side = 1;
    let mut differ = None;
    for (&size, &stride) in sizes.iter().zip(strides).rev() {
        if size != 1 {
            let here = match stride {
                0 => false,
                _ if stride == side_by_side => true,
                _ => return None,
            };
            if differ.is_some_and(|differ| differ != here) {
                return None;
            }
            differ = Some(here);
        }
        side_by_side *= size;
    }
    Some(differ.unwrap_or(true))
}
