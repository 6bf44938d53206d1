#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(all(feature = "std", feature = "runtime")),
    allow(
        dead_code,
        unused_imports,
        reason = "what only rooms that are left out use"
    )
)]

extern crate alloc;

#[cfg(feature = "std")]
pub mod attention;
pub mod conv;
mod error;
pub mod events;
#[cfg(feature = "runtime")]
mod integer;
mod math;
pub mod matmul;
#[cfg(feature = "runtime")]
pub mod network;
pub mod neuron;
pub mod parallel;
#[cfg(feature = "std")]
pub mod program;
#[cfg(feature = "std")]
pub mod recurrent;
pub mod registry;
#[cfg(feature = "std")]
pub mod scan;
#[cfg(feature = "std")]
pub mod sequence;
pub mod simd;
#[cfg(feature = "std")]
pub mod spike_times;
pub mod spikes;
#[cfg(feature = "std")]
pub mod stack;
#[cfg(feature = "std")]
pub mod surrogate;
pub mod tiling;
#[cfg(feature = "std")]
pub mod traces;

pub use error::Error;
