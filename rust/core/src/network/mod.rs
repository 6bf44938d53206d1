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
mod builder;
mod container;
mod decide;
mod error;
mod fields;
mod file;
mod graph;
mod input;
mod json;
mod ops;
mod parameter;
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
