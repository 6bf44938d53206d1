#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod conv;
mod error;
mod math;
pub mod matmul;
#[cfg(feature = "runtime")]
pub mod network;
pub mod neuron;
pub mod parallel;
pub mod recurrent;
pub mod registry;
pub mod scan;
pub mod sequence;
pub mod simd;
pub mod spikes;
pub mod stack;
pub mod surrogate;
pub mod tiling;

pub use error::Error;
