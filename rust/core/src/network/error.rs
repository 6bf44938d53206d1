//! What can be wrong with a network file, a state, or a step.

use alloc::string::String;
use thiserror::Error;

/// Why a file, a state or an input was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no safetensors file.
    #[error("these bytes are no safetensors file: {problem}")]
    Container {
        /// What is wrong with them.
        problem: String,
    },
    /// A header or a graph is no JSON, or repeats a key.
    #[error("{what} is not the JSON it should be: {problem}")]
    Json {
        /// The header or the graph.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The file holds something else, or a later version of it.
    #[error("the format is {found:?}; it must be {expected:?}")]
    Format {
        /// The format that is read here.
        expected: &'static str,
        /// That of the file.
        found: String,
    },
    /// The digest in the file is not that of its content.
    #[error("the content has digest {found}, but the file says {expected}")]
    Digest {
        /// The digest in the file.
        expected: String,
        /// That of the content.
        found: String,
    },
    /// An op that this version does not know.
    #[error("there is no op {op:?}")]
    UnsupportedOp {
        /// Its name.
        op: String,
    },
    /// A key that an op, or the graph, does not have in this version.
    #[error("{place} has an unsupported key {key:?}")]
    UnsupportedKey {
        /// The op, or the graph.
        place: String,
        /// The key.
        key: String,
    },
    /// A key without which an op, or the graph, says too little: there are no defaults.
    #[error("{place} lacks the key {key:?}")]
    MissingKey {
        /// The op, or the graph.
        place: String,
        /// The key.
        key: &'static str,
    },
    /// The value of a key is not one of those that it may have.
    #[error("{place}: {key:?} must be {expected}")]
    Value {
        /// The op, or the graph.
        place: String,
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: String,
    },
    /// A value of the graph that is read before it is made, made twice, or not at all.
    #[error("the value {name:?} {problem}")]
    Name {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A tensor that is missing, or of the wrong type or shape.
    #[error("the tensor {name:?} {problem}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Shapes that do not fit each other.
    #[error("{place}: {problem}")]
    Shape {
        /// The op.
        place: String,
        /// What does not fit.
        problem: String,
    },
    /// A sum or a state of integers that may become larger than the integers.
    #[error(
        "{place}: neuron {neuron} may reach {bound}, beyond {limit}; fewer bits, fewer inputs or a \
         faster decay would keep it below"
    )]
    Bound {
        /// The op.
        place: String,
        /// The first such neuron; of a product, its output or input.
        neuron: usize,
        /// How large it may become.
        bound: u64,
        /// How large it can be.
        limit: u64,
    },
    /// More than a network may have.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
    /// An input that the network does not take.
    #[error("the input {problem}")]
    Input {
        /// What is wrong with it.
        problem: String,
    },
    /// A state of another network, or of another batch.
    #[error("the state {problem}")]
    State {
        /// What is wrong with it.
        problem: String,
    },
    /// What a kernel refuses.
    #[error(transparent)]
    Kernel(#[from] crate::Error),
}
