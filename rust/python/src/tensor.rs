//! Tensors as torch hands them over, of which nothing is known yet.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyModule, PyString};
use pyo3::{Borrowed, intern};

/// The dtypes that kernels know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    Float32,
    Float64,
    BFloat16,
    Float16,
    UInt8,
    Bool,
    Int16,
    Int32,
    Int64,
}

impl Dtype {
    /// The dtype that DLPack describes by a code and a number of bits.
    pub(crate) fn of(code: u8, bits: u8) -> Option<Self> {
        match (code, bits) {
            (0, 16) => Some(Self::Int16),
            (0, 32) => Some(Self::Int32),
            (0, 64) => Some(Self::Int64),
            (1, 8) => Some(Self::UInt8),
            (2, 32) => Some(Self::Float32),
            (2, 64) => Some(Self::Float64),
            (2, 16) => Some(Self::Float16),
            (4, 16) => Some(Self::BFloat16),
            (6, 8) => Some(Self::Bool),
            _ => None,
        }
    }
}

/// Types of which every bit pattern is a value.
pub(crate) trait Plain: Copy {
    /// The usual dtype of tensors with such elements.
    const DTYPE: Dtype;

    /// Whether the elements of a tensor are of this type.
    fn is(dtype: Dtype) -> bool {
        dtype == Self::DTYPE
    }
}

macro_rules! plain {
    ($($element:ty: $dtype:ident;)*) => {$(
        impl Plain for $element {
            const DTYPE: Dtype = Dtype::$dtype;
        }
    )*};
}

plain! {
    f32: Float32;
    f64: Float64;
    bitspike::spikes::Bf16: BFloat16;
    bitspike::spikes::F16: Float16;
    u64: Int64;
    i64: Int64;
    i32: Int32;
    i16: Int16;
    u16: Int16;
}

impl Plain for u8 {
    const DTYPE: Dtype = Dtype::UInt8;

    fn is(dtype: Dtype) -> bool {
        matches!(dtype, Dtype::UInt8 | Dtype::Bool)
    }
}

/// A tensor of torch.
#[derive(Clone, Debug)]
pub(crate) struct Tensor<'py>(pub(crate) Bound<'py, PyAny>);

impl<'py> FromPyObject<'_, 'py> for Tensor<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance(class(object.py())?)? {
            return Ok(Self(object.to_owned()));
        }
        let message = format!("must be a torch.Tensor, not {}", object.get_type().name()?);
        Err(PyTypeError::new_err(message))
    }
}

/// `torch.Tensor`
pub(crate) fn class<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let import = || Ok::<_, PyErr>(PyModule::import(py, "torch")?.getattr("Tensor")?.unbind());
    Ok(CLASS.get_or_try_init(py, import)?.bind(py))
}

impl<'py> Tensor<'py> {
    /// Whether its numbers are to be negated still, as those of `z.conj().imag` are.
    pub(crate) fn is_neg(&self) -> PyResult<bool> {
        static IS_NEG: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = self.0.py();
        // The method of the class: to bind it to the tensor first would take longer.
        let method = IS_NEG.get_or_try_init(py, || {
            Ok::<_, PyErr>(class(py)?.getattr("is_neg")?.unbind())
        })?;
        method.bind(py).call1((&self.0,))?.extract()
    }

    /// The same numbers, negated.
    pub(crate) fn resolve_neg(&self) -> PyResult<Self> {
        self.method(intern!(self.0.py(), "resolve_neg"))
    }

    /// The same numbers in row-major order.
    pub(crate) fn contiguous(&self) -> PyResult<Self> {
        self.method(intern!(self.0.py(), "contiguous"))
    }

    /// The same numbers in memory of their own.
    pub(crate) fn copied(&self) -> PyResult<Self> {
        self.method(intern!(self.0.py(), "clone"))
    }

    fn method(&self, name: &Bound<'py, PyString>) -> PyResult<Self> {
        Ok(Self(self.0.call_method0(name)?))
    }

    /// The error that says what a tensor should have been, and what it is.
    pub(crate) fn refused(&self, what: &str, wanted: Dtype) -> PyErr {
        let part = |name: &str| {
            let part = self.0.getattr(name);
            part.map_or_else(|_| format!("unknown {name}"), |part| part.to_string())
        };
        PyTypeError::new_err(format!(
            "{what} must be torch.{} in dense memory of the CPU, not {}, {}, on {}",
            format!("{wanted:?}").to_lowercase(),
            part("dtype"),
            part("layout"),
            part("device"),
        ))
    }
}
