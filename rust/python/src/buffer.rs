//! Everything that trusts an address: the memory of tensors, and torch's thread pool.
//!
//! # The contract
//!
//! [`Memory`] and [`Written`] are the only ways from a tensor to a slice. They own the tensor, so
//! that its memory lives as long as the slice, and exist only for dense memory of the CPU with
//! elements of the type that the caller names, aligned, and with no negation pending. How far it
//! reaches follows from the tensor's own sizes and strides, which torch keeps within its storage.
//!
//! A tensor that is written was allocated for this very call, by `empty` of
//! `python/bitspike/ops/buffer.py`, so nothing else refers to its memory. Inputs may be read by
//! other threads at the same time; a thread that writes to them meanwhile gets torn numbers, as in
//! torch, never a wrong address: whatever is used as an index is copied first.

#![allow(
    unsafe_code,
    reason = "the one file where addresses become slices and functions"
)]

use crate::dlpack::{CAPSULE, CPU, Describe, DlTensor, ExchangeApi, MAJOR};
use crate::layout::{Layout, sizes};
use crate::tensor::{Dtype, Plain, Tensor, class};
use bitspike::parallel::{Executor, Interrupted};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyCapsule;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

/// torch's function that describes a tensor.
fn describe(py: Python<'_>) -> PyResult<Describe> {
    static DESCRIBE: PyOnceLock<Describe> = PyOnceLock::new();
    DESCRIBE
        .get_or_try_init(py, || {
            let capsule = class(py)?.getattr("__dlpack_c_exchange_api__")?;
            let table = capsule
                .cast::<PyCapsule>()?
                .pointer_checked(Some(CAPSULE))?;
            // SAFETY: the name of the capsule says what it points to; torch keeps it for ever.
            let table = unsafe { table.cast::<ExchangeApi>().as_ref() };
            let known = table.header.major == MAJOR;
            table.describe.filter(|_| known).ok_or_else(|| {
                let version = (table.header.major, table.header.minor);
                let message = format!("this torch speaks DLPack {version:?}, not {MAJOR}.x");
                PyRuntimeError::new_err(message)
            })
        })
        .copied()
}

impl<'a> Layout<'a> {
    /// How a tensor lies; None for one without a description: sparse, quantised, on no device, or
    /// inside a transform of torch.func.
    fn of(tensor: &'a Tensor<'_>) -> PyResult<Option<Self>> {
        let describe = describe(tensor.0.py())?;
        let mut out = MaybeUninit::<DlTensor>::uninit();
        // SAFETY: the object is a tensor, and `out` has room for its description.
        if unsafe { describe(tensor.0.as_ptr().cast(), out.as_mut_ptr()) } != 0 {
            drop(PyErr::take(tensor.0.py()));
            return Ok(None);
        }
        // SAFETY: the function has filled it in.
        let out = unsafe { out.assume_init() };
        let axes = usize::try_from(out.axes).unwrap_or(0);
        let array = |start: *const i64| match axes {
            0 => &[][..],
            // SAFETY: the array is the tensor's own, of one number for each axis; the tensor is
            // borrowed, and only code that holds the GIL could change its axes.
            _ => unsafe { std::slice::from_raw_parts(start, axes) },
        };
        Ok(Some(Self {
            address: (out.data as usize).wrapping_add(out.byte_offset as usize),
            on_cpu: out.device_type == CPU,
            dtype: Dtype::of(out.code, out.bits).filter(|_| out.lanes == 1),
            shape: array(out.shape),
            strides: array(out.strides),
        }))
    }

    /// How a tensor lies, once it is known to be dense, with elements of `T`, on the CPU.
    fn dense<T: Plain>(tensor: &'a Tensor<'_>, what: &str) -> PyResult<Self> {
        let fits = |layout: &Self| {
            let typed = layout.on_cpu && layout.dtype.is_some_and(T::is);
            // A wrapper has sizes but no memory.
            typed && (layout.address != 0 || layout.size() == 0)
        };
        let layout = Self::of(tensor)?.filter(fits);
        layout.ok_or_else(|| tensor.refused(what, T::DTYPE))
    }
}

/// The elements of a tensor, which it keeps alive, to read.
#[derive(Debug)]
pub(crate) struct Memory<'py, T> {
    /// Holds the memory.
    _tensor: Tensor<'py>,
    address: usize,
    length: usize,
    element: PhantomData<T>,
}

/// The dtype of a tensor, if kernels know it.
pub(crate) fn dtype(tensor: &Tensor<'_>) -> PyResult<Option<Dtype>> {
    Ok(Layout::of(tensor)?.and_then(|layout| layout.dtype))
}

/// How [`Memory`] lies.
#[derive(Debug)]
pub(crate) enum Order {
    /// In row-major order without gaps.
    RowMajor,
    /// With these sizes and strides.
    Strided(Vec<usize>, Vec<usize>),
}

impl<'py, T: Plain> Memory<'py, T> {
    /// The elements of a tensor in row-major order; they are copied if they do not lie so.
    ///
    /// # Errors
    /// `TypeError` that names `what`, for a tensor that is not dense, or not of elements of `T` on
    /// the CPU.
    pub(crate) fn of(tensor: &Tensor<'py>, what: &str) -> PyResult<Self> {
        match Self::laid(tensor, what)? {
            (memory, Order::RowMajor) => Ok(memory),
            _ => Self::of(&tensor.contiguous()?, what),
        }
    }

    /// The elements where they lie, up to the furthest, and how.
    ///
    /// # Errors
    /// As [`Memory::of`].
    pub(crate) fn laid(tensor: &Tensor<'py>, what: &str) -> PyResult<(Self, Order)> {
        Self::found(tensor, what, |layout| match layout.is_in_order() {
            true => Order::RowMajor,
            false => Order::Strided(sizes(layout.shape), sizes(layout.strides)),
        })
    }

    /// The elements where they lie, up to the furthest, with sizes and strides.
    ///
    /// # Errors
    /// As [`Memory::of`].
    pub(crate) fn strided(
        tensor: &Tensor<'py>,
        what: &str,
    ) -> PyResult<(Self, Vec<usize>, Vec<usize>)> {
        let both = |layout: &Layout<'_>| (sizes(layout.shape), sizes(layout.strides));
        let (memory, (shape, strides)) = Self::found(tensor, what, both)?;
        Ok((memory, shape, strides))
    }

    fn found<R>(
        tensor: &Tensor<'py>,
        what: &str,
        order: impl FnOnce(&Layout<'_>) -> R,
    ) -> PyResult<(Self, R)> {
        let layout = Layout::dense::<T>(tensor, what)?;
        if !layout.address.is_multiple_of(align_of::<T>()) {
            return Self::found(&tensor.copied()?, what, order);
        }
        if tensor.is_neg()? {
            return Self::found(&tensor.resolve_neg()?, what, order);
        }
        let memory = Self {
            _tensor: tensor.clone(),
            address: layout.address,
            length: layout.reach(),
            element: PhantomData,
        };
        Ok((memory, order(&layout)))
    }
}

impl<T: Plain> Deref for Memory<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: not null (`Layout::dense`) and aligned (`found`); as long as torch says, which it has
        // allocated; alive as long as the tensor; `T` has no invalid bit pattern.
        unsafe { std::slice::from_raw_parts(self.address as *const T, self.length) }
    }
}

/// The elements of a tensor, which it keeps alive, to write.
#[derive(Debug)]
pub(crate) struct Written<'py, T>(Memory<'py, T>);

impl<'py, T: Plain> Written<'py, T> {
    /// The elements of a tensor in row-major order.
    ///
    /// # Errors
    /// As [`Memory::of`], and `ValueError` if they do not lie in that order, or not aligned.
    pub(crate) fn of(tensor: &Tensor<'py>, what: &str) -> PyResult<Self> {
        let layout = Layout::dense::<T>(tensor, what)?;
        if !layout.is_in_order() || !layout.address.is_multiple_of(align_of::<T>()) {
            let message = format!("{what} must be contiguous and aligned to be written");
            return Err(PyValueError::new_err(message));
        }
        Ok(Self(Memory {
            address: layout.address,
            length: layout.size(),
            _tensor: tensor.clone(),
            element: PhantomData,
        }))
    }
}

impl<T: Plain> Deref for Written<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Plain> DerefMut for Written<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        if self.0.length == 0 {
            return &mut [];
        }
        // SAFETY: as for `Memory`; by the contract above nothing else refers to this memory.
        unsafe { std::slice::from_raw_parts_mut(self.0.address as *mut T, self.0.length) }
    }
}

/// A function to run on a part of a range.
type Body = extern "C" fn(begin: i64, end: i64, context: *mut c_void);
/// `torch_parallel_for`, part of torch's stable C interface since 2.10.
type ParallelFor = unsafe extern "C" fn(i64, i64, i64, Body, *mut c_void) -> i32;
/// `torch_get_num_threads`, likewise.
type NumThreads = unsafe extern "C" fn(*mut u32) -> i32;

/// torch's own thread pool.
#[derive(Debug)]
pub(crate) struct TorchPool {
    parallel_for: ParallelFor,
    num_threads: NumThreads,
    /// A forked child inherits the pool's memory but not its threads, and would wait for them.
    process: u32,
}

impl TorchPool {
    /// The pool behind the addresses of `torch_parallel_for` and `torch_get_num_threads`.
    pub(crate) fn new(parallel_for: usize, num_threads: usize) -> PyResult<Self> {
        if parallel_for == 0 || num_threads == 0 {
            return Err(PyValueError::new_err(
                "the address of a function of torch is 0",
            ));
        }
        // SAFETY: Python looked the two symbols up in libtorch_cpu; these are their signatures, and
        // torch promises to keep them.
        let (parallel_for, num_threads) = unsafe {
            (
                std::mem::transmute::<*const (), ParallelFor>(parallel_for as *const ()),
                std::mem::transmute::<*const (), NumThreads>(num_threads as *const ()),
            )
        };
        Ok(Self {
            parallel_for,
            num_threads,
            process: std::process::id(),
        })
    }
}

/// What `torch_parallel_for` carries through to each thread.
struct Context<'a> {
    task: &'a (dyn Fn() + Sync),
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
}

extern "C" fn body(_: i64, _: i64, context: *mut c_void) {
    // SAFETY: `TorchPool::run` passes a `Context` that lives until all calls have returned.
    let context = unsafe { &*context.cast::<Context<'_>>() };
    // A panic must not unwind into torch. A bug is worth more than the news that work was given up.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(context.task))
        && let Ok(mut slot) = context.panic.lock()
        && slot.as_ref().is_none_or(|first| first.is::<Interrupted>())
    {
        *slot = Some(panic);
    }
}

impl Executor for TorchPool {
    fn threads(&self) -> usize {
        if std::process::id() != self.process {
            return 1;
        }
        let mut threads = 1;
        // SAFETY: `threads` is where the function writes its result.
        match unsafe { (self.num_threads)(&raw mut threads) } {
            0 => threads as usize,
            _ => 1,
        }
    }

    fn run(&self, threads: usize, task: &(dyn Fn() + Sync)) {
        let context = Context {
            task,
            panic: Mutex::new(None),
        };
        let pointer = (&raw const context).cast_mut().cast();
        // SAFETY: `body` has the signature that the function expects; `context` outlives the call,
        // which returns when every call of `body` has.
        let failed = unsafe { (self.parallel_for)(0, threads as i64, 1, body, pointer) } != 0;
        if let Some(panic) = context.panic.into_inner().ok().flatten() {
            resume_unwind(panic);
        }
        if failed {
            // Nothing has run, or items are left: the task takes what remains.
            task();
        }
    }
}
