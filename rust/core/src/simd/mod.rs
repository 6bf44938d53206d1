//! Vector lanes behind one narrow trait, so that every kernel is written once.
//!
//! A type implementing [`Simd`] is a zero-sized *token*: holding one proves that the CPU has the
//! instruction set, so code generic over the token is safe. [`dispatch`] turns the run-time choice
//! ([`Isa`]) into a token and runs a [`Kernel`] with that instruction set enabled.
//!
//! All lane operations are the plain IEEE ones, separately rounded, without vector min/max; the one
//! fused multiplication and addition is asked for by its name. A kernel therefore returns the same bits
//! whichever token runs it.
//!
//! This folder holds all the unsafe code of the crate: the intrinsics, and [`Columns`], which
//! hands disjoint columns of one matrix to several threads, and `Registers`, rows of numbers that are
//! read and filled at once.

#![allow(
    unsafe_code,
    reason = "the one place where intrinsics and disjoint column access live"
)]

mod columns;
mod counts;
mod dispatch;
mod isa;
mod lanes;
mod portable;
#[cfg(feature = "std")]
mod registers;

// Which tokens there are for this CPU. With the feature `portable`, and without `std`, which asks the
// CPU, x86-64 counts as any other.
#[cfg(any(
    not(target_arch = "x86_64"),
    feature = "portable",
    not(feature = "std")
))]
mod other;
#[cfg(any(
    not(target_arch = "x86_64"),
    feature = "portable",
    not(feature = "std")
))]
use other as cpu;
#[cfg(all(target_arch = "x86_64", feature = "std", not(feature = "portable")))]
mod x86;
#[cfg(all(target_arch = "x86_64", feature = "std", not(feature = "portable")))]
use x86 as cpu;

pub use columns::Columns;
pub(crate) use counts::{CountBits, CountKernel, LINE};
pub use dispatch::dispatch;
pub(crate) use dispatch::{compiled_for, dispatch_counts};
pub use isa::{Isa, Kernel};
pub(crate) use lanes::TILE;
pub use lanes::{PAST_CACHES, Simd, array};
pub use portable::Portable;
#[cfg(feature = "std")]
pub(crate) use registers::{BLOCK, Registers};

#[cfg(all(target_arch = "x86_64", feature = "std", not(feature = "portable")))]
pub use x86::{Avx2, Avx512, Sse2};
