//! A network, and the file that it is read from.

use super::Error;
use super::container::Container;
use super::graph::Graph;
use super::tensor::Tensor;
use super::values::Kind;
use crate::simd::Isa;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const FORMAT: &str = "bitspike.network/1";

/// A network that has been read and checked. It does not change, and serves many states.
#[derive(Debug)]
pub struct Network {
    pub(super) isa: Isa,
    pub(super) graph: Graph,
    pub(super) digest: String,
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
