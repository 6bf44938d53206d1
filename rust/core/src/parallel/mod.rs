//! The only place that runs work on threads.
//!
//! Work is a list of independent items: each is given to one thread, whichever is free, so results
//! cannot depend on the number of threads. Threads come from an [`Executor`]: the Python package
//! installs one that borrows torch's own pool (a second pool would fight it for the cores); without
//! one, work runs on scoped threads of this process.
//!
//! A call can be ended before it is done ([`interruptible`]): kernels say with `progress` that a
//! piece of work is done, which is where they are left.
//!
//! Without the feature `std` there are no threads: items are worked on one after another, and no call
//! can be interrupted.

#[cfg(feature = "std")]
mod interrupt;
mod scratch;
#[cfg(not(feature = "std"))]
mod serial;
#[cfg(feature = "std")]
mod threads;

#[cfg(feature = "std")]
pub use interrupt::{Interrupted, interruptible};
#[cfg(feature = "std")]
pub(crate) use interrupt::{pieces, progress};
pub(crate) use scratch::Scratch;
#[cfg(not(feature = "std"))]
pub use serial::{for_each, threads};
#[cfg(not(feature = "std"))]
pub(crate) use serial::{pieces, progress};
#[cfg(feature = "std")]
pub use threads::{Executor, for_each, install, threads};

/// Work below this many elementary steps (one neuron for one step, one addition of a vector lane)
/// stays on the calling thread: handing it over would cost more than it saves.
pub const GRAIN: usize = 32 * 1024;
