//! Layers in integers: sums of small weights, decays by shifts, neurons that compare integers.
//!
//! Weights have at most 8 bits, sums and states 32. Nothing is rounded but decays, and nothing
//! overflows: who makes a layer proves it by the bounds in `bound.rs`. Therefore sums may be formed in
//! any order, and are the same on every instruction set.
//!
//! * Spikes select rows of weights (`sums.rs`), which are added as lanes of 16 bits, twice as many as
//!   floats have, and widened after at most 256 rows, before they can overflow.
//! * Integers are multiplied by their weights several inputs at a time: an instruction multiplies pairs of
//!   bytes, or of 16 bits, and adds the two products. Those of bytes are added as 16 bits, as many as the
//!   weights allow.

mod bound;
mod decay;
mod membranes;
mod packed;
mod sums;
mod tiles;

pub(crate) use bound::{Excess, LARGEST, of_sums};
pub(crate) use decay::{Decay, Rounding};
pub(crate) use membranes::{Firing, Membranes};
pub(crate) use packed::{FACTOR, Factors, Packed};
pub(crate) use sums::{Groups, sums_of_integers, sums_of_spikes};
