//! Traces of spikes, and synapses that learn from them.
//!
//! A *trace* is what a neuron remembers of its spikes: it decays, and a spike adds to it ([`Trace`],
//! [`filter`], [`weighted_sums`]). Rules of spike-timing-dependent plasticity pair the spikes of one side of a synapse
//! with the traces of the other side. At each step, with samples `b` in ascending order,
//!
//! ```text
//! P[i][j] = Σ_b  S[b][i]·g[b][i]·x[b][j]     spikes S of outputs, traces x of inputs: for W to rise
//! D[i][j] = Σ_b  y[b][i]·s[b][j]·h[b][j]     spikes s of inputs, traces y of outputs: for W to fall
//! ```
//!
//! and the weights change at once ([`learn`]), or what they would change by is summed ([`sum`]). Gains
//! `g` and `h` say how much a spike counts: rules of three spikes have them.
//!
//! Spikes are rare, and only what they meet is touched: the row of an output that fires, and in other
//! rows the columns of inputs that fire. What is not touched has `P = D = 0`, for which no rule here
//! changes a weight. Work is split over outputs, so that results do not depend on it.
//!
//! Numbers are `f32` or `f64`, and loops are plain Rust, compiled for each instruction set.

mod change;
mod filter;
mod firing;
mod pairs;
mod real;
mod sums;
mod tile;
mod walk;
mod weighted;

pub use change::Learning;
pub use filter::{Decay, Moment, Trace, filter};
pub use pairs::{Pairs, Side};
pub use real::Real;
pub use walk::{learn, sum};
pub use weighted::weighted_sums;
