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
mod graph;
mod input;
mod json;
mod ops;
mod state;
mod step;
mod tensor;
mod values;

pub use binner::Binner;
pub use decide::{Decided, Decision, Rule};
pub use error::Error;
pub use input::Input;
pub use state::State;
pub use step::Output;
pub use tensor::{Dtype, Tensor};
pub use values::Kind;

use crate::simd::Isa;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use container::Container;
use graph::Graph;
use ops::Op;
use values::Memory;

const FORMAT: &str = "bitspike.network/1";
/// Most numbers of all values, parameters and states of a network, for a sample.
const LIMIT: usize = 1 << 27;

/// A network that has been read and checked. It does not change, and serves many states.
#[derive(Debug)]
pub struct Network {
    isa: Isa,
    graph: Graph,
    digest: String,
}

/// A network file: the JSON of a graph, and the tensors that it names.
///
/// # Errors
/// If [`Network::from_bytes`] would refuse it.
pub fn write(graph: &str, tensors: Vec<Tensor<'_>>) -> Result<Vec<u8>, Error> {
    let unsigned = Container::new(Vec::new(), tensors);
    let texts = [
        ("format", FORMAT),
        ("producer", concat!("bitspike ", env!("CARGO_PKG_VERSION"))),
        ("graph", graph),
        ("digest", &unsigned.digest(graph)),
    ];
    let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let bytes = unsigned.with_texts(texts.into()).write();
    Network::from_bytes(&bytes)?;
    Ok(bytes)
}

impl Network {
    /// Reads a network file, for the fastest instruction set of this CPU.
    ///
    /// # Errors
    /// If anything in it is not as it must be. No bytes make it panic, or take more memory than some
    /// times their length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::for_isa(Isa::active()?, bytes)
    }

    /// The same for an instruction set, or the fastest below it that the CPU has.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn for_isa(isa: Isa, bytes: &[u8]) -> Result<Self, Error> {
        let file = Container::read(bytes)?;
        file.expect_format(FORMAT)?;
        let text = |name: &str| {
            file.text(name).ok_or_else(|| Error::Container {
                problem: format!("it has no {name:?}"),
            })
        };
        let (graph, expected) = (text("graph")?, text("digest")?);
        let digest = file.digest(graph);
        if digest != expected {
            return Err(Error::Digest {
                expected: expected.chars().take(64).collect(),
                found: digest,
            });
        }
        Ok(Self {
            isa,
            graph: Graph::read(isa, graph, &file)?,
            digest,
        })
    }

    /// A state for so many samples, as before the first step: all the memory that steps need.
    ///
    /// # Errors
    /// If there are no samples, or more than fit in memory.
    pub fn state(&self, samples: usize) -> Result<State, Error> {
        self.memory(samples)?;
        let mut memory = Memory::new(&self.graph.sizes, samples);
        let scratch = self.graph.ops.iter().filter_map(Op::scratch);
        memory.convolutions.extend(scratch);
        Ok(State::new(self, memory))
    }

    /// How many bytes [`state`](Self::state) takes.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn memory(&self, samples: usize) -> Result<usize, Error> {
        let bytes = Memory::bytes(&self.graph.sizes, samples).filter(|_| samples > 0);
        bytes.ok_or_else(|| Error::State {
            problem: format!("cannot be one of {samples} samples"),
        })
    }

    /// The SHA-256 of the graph and of all tensors, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Seconds per step.
    #[must_use]
    pub fn dt(&self) -> f64 {
        self.graph.dt
    }

    /// The shape of the input without the batch, and what it is.
    #[must_use]
    pub fn input(&self) -> (&[usize], Kind) {
        (&self.graph.input.shape, self.graph.input.kind)
    }

    /// How many inputs a sample has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.graph.input.neurons
    }

    /// The names of the outputs.
    #[must_use]
    pub fn outputs(&self) -> &[String] {
        &self.graph.outputs
    }

    /// Shape and kind of a value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<(&[usize], Kind)> {
        let value = self.graph.values.get(name)?;
        Some((&value.shape, value.kind))
    }
}
