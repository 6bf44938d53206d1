//! A trained network, step by step, from a file: without Python or torch, and without allocating.
//!
//! [`Network::from_bytes`] reads a file and checks all of it; weights are packed once. The memory of a
//! run lies in a [`State`], so one network serves many streams at once. [`Network::step`] takes the
//! input of one step through all ops and allocates nothing.
//!
//! # File
//!
//! A safetensors file with two texts in its `__metadata__`: `"format": "bitspike.network/1"` and
//! `"graph"`, a JSON object; and their `"digest"`. Tensors are weights, under any names. The graph:
//!
//! | key | holds |
//! |---|---|
//! | `dt` | seconds per step |
//! | `inputs` | a list of one `{"name", "shape", "kind"}`, whose kind is `"spikes"` or `"numbers"` |
//! | `previous` | a list of the same: values that ops may read as `"prev:NAME"`, as they were one step before, 0 at first |
//! | `ops` | a list in the order in which they run; each has `"op"`, `"in"`, `"out"` and its own keys |
//! | `outputs` | a list of names; those of spikes are counted |
//! | `extra` | anything; it may be missing, and is not read |
//!
//! A value has one name and is made once. No key has a default, and unknown ops and keys are refused.
//! `ops/` has a file for each kind of op.
//!
//! # Integers
//!
//! An op that says `"arith": "i32"` takes spikes and integers, and makes integers of 32 bits, or spikes.
//! A network may have both: `quantise` makes integers of numbers, and `scale`, an op in floats, numbers
//! of integers.
//!
//! | op | keys beside `in` and `out` | makes |
//! |---|---|---|
//! | `quantise` | `scale`, `low`, `high` | `clamp(round(x / scale), low, high)`, half to even |
//! | `linear`, `conv1d`, `conv2d` | as in floats; `shape` `[outputs, *]`, `bits`, `shift`, `acc_bound` | sums of `weight`, a tensor of I8, or of U8 `[outputs, bytes]` with 4 or 2 `bits` each, the first in the lowest, which count `2^shift`; `bias` is one of I32 |
//! | `sumpool`, `maxpool` | as in floats | integers |
//! | `add` | | integers |
//! | `leaky`, `if`, `synaptic` | as in floats, without `initial`; `acc_bound` | spikes: `fire_at` is `"gt"` or `"ge"`, `threshold` an integer from 0 on or a tensor of I32 |
//! | `li` | `beta`, `state`, `acc_bound` | the membrane |
//!
//! A decay, `beta` or `alpha`, is `{"shift": k, "round": r}`, `U - U / 2^k`; `{"multiply": M, "round": r}`,
//! `U·M / 2^15` with `M` below 2¹⁵, one for all or a tensor of I32; or null. Rounding is `"floor"`,
//! `"toward_zero"` or `"nearest"`, the upper of two. A state without decay is clamped to ±2³⁰ after each
//! current. Resets are those of floats, but for `subtract_beta`.
//!
//! `acc_bound` is the largest magnitude that any sum of the op, or any of its states, can have. A reader
//! proves it neuron by neuron, and refuses a file with another, and one in which it exceeds 2³¹ - 1. With
//! inputs of at most `x`, a sum is at most `C = |b| + Σ|q|·x`; a state that collects sums of `C` is at most
//! `2^k·(C + 2)`, or `(C + 2) / (1 - M/2^15)` rounded up, or `C + θ` where a reset subtracts `θ` and that is
//! more, and `2^30 + C + θ` without decay. Integers that are multiplied by weights have 16 bits at most.
//!
//! # Order
//!
//! Currents are summed as [`crate::matmul`] sums them, from 0, in ascending order of the inputs, the
//! bias last, and neurons are those of [`crate::neuron`]: steps give the bits of the same layers over
//! whole sequences, on every instruction set. A step that is interrupted ([`crate::parallel`]) leaves a
//! state of which nothing can be said.
//!
//! # Example
//! ```
//! use bitspike::network::{Input, Network, Tensor, write};
//! # use bitspike::network::Dtype;
//!
//! let graph = r#"{
//!   "dt": 0.001, "inputs": [{"name": "x", "shape": [2], "kind": "spikes"}], "previous": [],
//!   "ops": [
//!     {"op": "linear", "in": "x", "out": "current", "weight": "weight", "bias": null},
//!     {"op": "leaky", "in": "current", "out": "y", "beta": 0.5, "threshold": 1.0,
//!      "reset": "subtract", "reset_delay": true, "fire_at": "gt", "order": "integrate_first",
//!      "recurrent": null, "state": ["mem"], "initial": [0]}],
//!   "outputs": ["y"]}"#;
//! let weight: Vec<u8> = [0.75_f32, 0.5].iter().flat_map(|x| x.to_le_bytes()).collect();
//! let weight = Tensor { name: "weight".into(), dtype: Dtype::F32, shape: vec![1, 2], data: &weight };
//! let network = Network::from_bytes(&write(graph, vec![weight])?)?;
//!
//! let mut state = network.state(1)?;
//! for (events, membrane) in [(&[0][..], 0.75), (&[0, 1], 1.625), (&[], -0.1875)] {
//!     let output = network.step(&mut state, Input::Events(events))?;
//!     assert_eq!(output.numbers("mem", 0), Some(&[membrane][..]));
//!     assert_eq!(output.spikes("y"), Some(&[u64::from(membrane > 1.0)][..]));
//! }
//! # Ok::<(), bitspike::network::Error>(())
//! ```

mod binner;
mod bounds;
mod broadcast;
mod builder;
mod container;
mod decide;
mod error;
mod fields;
mod file;
mod graph;
mod input;
mod json;
mod memory;
mod ops;
mod parameter;
mod row;
mod scratch;
mod state;
mod step;
mod tensor;
mod values;

pub use binner::Binner;
pub use decide::{Decided, Decision, Rule};
pub use error::Error;
pub use file::{Network, write};
pub use input::Input;
pub use state::State;
pub use step::Output;
pub use tensor::{Dtype, Tensor};
pub use values::Kind;
