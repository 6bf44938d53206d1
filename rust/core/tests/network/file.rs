//! Network files to test with.

#![allow(dead_code, reason = "the test of allocations needs a part of it")]

use bitspike::network::{Dtype, Error, Network, Tensor, write};
use bitspike::simd::Isa;

/// A graph under construction, and its tensors.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub(crate) input: String,
    pub(crate) previous: Vec<String>,
    pub(crate) ops: Vec<String>,
    pub(crate) outputs: Vec<String>,
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl File {
    /// A network of an input `x` of this shape and kind.
    pub(crate) fn new(shape: &[usize], kind: &str) -> Self {
        Self {
            input: format!(r#"{{"name": "x", "shape": {shape:?}, "kind": "{kind}"}}"#),
            ..Self::default()
        }
    }

    /// Adds an op: its JSON without the braces.
    pub(crate) fn op(&mut self, op: impl AsRef<str>) -> &mut Self {
        self.ops.push(format!("{{{}}}", op.as_ref()));
        self
    }

    /// Adds an output.
    pub(crate) fn output(&mut self, name: &str) -> &mut Self {
        self.outputs.push(format!("{name:?}"));
        self
    }

    /// Adds a tensor.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize], numbers: &[f32]) -> &mut Self {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.bytes_of(name, Dtype::F32, shape, bytes)
    }

    /// Adds a tensor of integers of 32 bits.
    pub(crate) fn integers(&mut self, name: &str, shape: &[usize], numbers: &[i32]) -> &mut Self {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.bytes_of(name, Dtype::I32, shape, bytes)
    }

    /// Adds a tensor by its bytes.
    pub(crate) fn bytes_of(
        &mut self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        bytes: Vec<u8>,
    ) -> &mut Self {
        self.tensors
            .push((name.to_owned(), dtype, shape.to_vec(), bytes));
        self
    }

    /// Adds a leaky neuron of decay 0.5 and threshold 1 that subtracts, one step later.
    pub(crate) fn leaky(&mut self, input: &str, output: &str, state: &str) -> &mut Self {
        self.op(format!(
            r#""op": "leaky", "in": "{input}", "out": "{output}", "beta": 0.5, "threshold": 1.0,
            "reset": "subtract", "reset_delay": true, "fire_at": "gt", "order": "integrate_first",
            "recurrent": null, "state": ["{state}"], "initial": [0]"#
        ))
    }

    /// The JSON of the graph.
    pub(crate) fn graph(&self) -> String {
        format!(
            r#"{{"dt": 0.001, "inputs": [{}], "previous": [{}], "ops": [{}], "outputs": [{}]}}"#,
            self.input,
            self.previous.join(", "),
            self.ops.join(", "),
            self.outputs.join(", ")
        )
    }

    /// The file, if it is one.
    pub(crate) fn try_bytes(&self) -> Result<Vec<u8>, Error> {
        self.with_graph(&self.graph())
    }

    /// A file of the same tensors with another graph, if it is one.
    pub(crate) fn with_graph(&self, graph: &str) -> Result<Vec<u8>, Error> {
        let tensors = self
            .tensors
            .iter()
            .map(|(name, dtype, shape, data)| Tensor {
                name: name.clone(),
                dtype: *dtype,
                shape: shape.clone(),
                data,
            });
        write(graph, tensors.collect())
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.try_bytes().expect("a network")
    }

    /// The network.
    pub(crate) fn network(&self, isa: Isa) -> Network {
        Network::for_isa(isa, &self.bytes()).expect("a network")
    }
}
