//! Everything that trusts an address that Python hands over: tensors, and torch's thread pool.
//!
//! # The contract with `python/bitspike/ops/_buffer.py`, the only caller
//!
//! A buffer is `(address, length)` in elements. While the call runs, Python keeps the tensor
//! alive, and the memory holds `length` initialised elements of the right type. A buffer that is
//! written was allocated for this very call, so nothing else refers to it. Inputs may be read by
//! other threads at the same time; a thread that writes to them meanwhile gets torn numbers, as in
//! torch, never a wrong address: whatever is used as an index is copied first.

#![allow(
    unsafe_code,
    reason = "the one file where addresses become slices and functions"
)]

use bitspike::parallel::Executor;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

/// Memory of a tensor.
#[derive(Clone, Copy, Debug, FromPyObject)]
pub(crate) struct Buffer(usize, usize);

/// Types of which every bit pattern is a value.
pub(crate) trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u64 {}
impl Plain for i64 {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for bitspike::spikes::Bf16 {}
impl Plain for bitspike::spikes::F16 {}

impl Buffer {
    /// The elements, to read.
    pub(crate) fn read<'a, T: Plain>(self) -> PyResult<&'a [T]> {
        if self.1 == 0 {
            return Ok(&[]);
        }
        self.check::<T>()?;
        // SAFETY: not null, aligned and not larger than an allocation may be (`check`); initialised
        // and alive for the call by the contract above; `T` has no invalid bit pattern.
        Ok(unsafe { std::slice::from_raw_parts(self.0 as *const T, self.1) })
    }

    /// The elements, to write.
    pub(crate) fn write<'a, T: Plain>(self) -> PyResult<&'a mut [T]> {
        if self.1 == 0 {
            return Ok(&mut []);
        }
        self.check::<T>()?;
        // SAFETY: as in `read`; by the contract above nothing else refers to this memory.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.0 as *mut T, self.1) })
    }

    fn check<T>(self) -> PyResult<()> {
        let Self(address, length) = self;
        let fits = length
            .checked_mul(size_of::<T>())
            .is_some_and(|bytes| bytes <= isize::MAX as usize);
        if address == 0 || address % align_of::<T>() != 0 || !fits {
            return Err(PyValueError::new_err(format!(
                "no {length} elements of {} bytes can lie at address {address:#x}",
                size_of::<T>()
            )));
        }
        Ok(())
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
    // A panic must not unwind into torch.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(context.task))
        && let Ok(mut slot) = context.panic.lock()
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
