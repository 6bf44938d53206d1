//! A layer on the way back.

use crate::matmul::gradient_prefers_dense;
use crate::registry::AnySurrogate;
use crate::simd::Isa;
use crate::stack::Layer;
use crate::tiling::Strided;

/// A layer on the way back.
#[derive(Debug)]
pub struct Reversed<'a> {
    /// The layer.
    pub layer: Layer<'a>,
    /// What stands in for the derivative of its spikes.
    pub surrogate: AnySurrogate,
    /// The spikes that entered it, as bits, `[T, B, words(inputs)]`.
    pub spikes: &'a [u64],
    /// The gradients of its states after the last step, `[B, N]`; all are 0 if `None`.
    pub last: Option<Vec<Strided<'a>>>,
}

impl Reversed<'_> {
    /// Whether few of the layer's errors may be other than 0, and they make its gradient.
    pub(super) fn lists_errors(&self, isa: Isa) -> bool {
        let shape = self.layer.neurons.shape;
        let rows = shape.steps * shape.samples;
        self.last.is_none()
            && self.surrogate.is_compact()
            && self.layer.neurons.decay().is_some()
            && !gradient_prefers_dense(isa, 0.0, rows, self.layer.inputs())
    }
}
