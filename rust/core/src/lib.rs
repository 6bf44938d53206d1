//! Spiking neural networks on bits.
//!
//! A spike is one bit, so this crate keeps it as one: in memory, across layers and inside the
//! arithmetic. It knows nothing of Python or torch: slices in, slices out.
//!
//! # Notation
//!
//! `T` steps, `B` samples, `N` neurons of a layer, `K` inputs of a layer, `R = T·B` rows. Sequences
//! lie time-major, `[T, B, N]`. Spikes of a row are bits of 64-bit words, neuron 0 in the lowest
//! bit of the first word; a row is padded with zeros to whole words ([`spikes`]).
//!
//! # Data flow of a layer
//!
//! ```text
//! spikes [R, K] ──matmul::product──► current [T, B, N] ──sequence::forward──► spikes [T, B, N]
//!                                           │
//! grad of weights ◄──matmul::weight_gradient── grad of current ◄──sequence::backward── grad of spikes
//! ```
//!
//! # Modules
//!
//! | module | holds |
//! |---|---|
//! | [`simd`] | vector lanes behind one trait, chosen at run time; all unsafe code |
//! | [`parallel`] | the only place that runs work on threads |
//! | [`spikes`] | the bit layout: pack, unpack, transpose, count, events, random spikes |
//! | [`tiling`] | how sequences are cut up, read and written; a glossary |
//! | [`matmul`] | spikes × weights without multiplying, and the weight gradient |
//! | [`conv`] | windows on feature maps of spikes: pooling |
//! | [`neuron`] | the equation of each neuron and its adjoint |
//! | [`surrogate`] | the derivative that stands in for that of the step function |
//! | [`registry`] | the list of neurons and surrogates |
//! | [`sequence`] | the two time loops: forward, and backward through time |
//! | [`scan`] | linear scans: time loops without firing and reset |
//! | [`recurrent`] | time loops of layers whose spikes come back to them |
//!
//! Every function returns the same bits on every instruction set and for any number of threads.

#![deny(unsafe_code)]

pub mod conv;
mod error;
mod math;
pub mod matmul;
pub mod neuron;
pub mod parallel;
pub mod recurrent;
pub mod registry;
pub mod scan;
pub mod sequence;
pub mod simd;
pub mod spikes;
pub mod surrogate;
pub mod tiling;

pub use error::Error;
