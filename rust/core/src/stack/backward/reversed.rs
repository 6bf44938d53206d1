//! A layer on the way back.

use crate::matmul::packed::Packed;
use crate::matmul::{dense_weights, finite_weights, gradient_prefers_dense};
use crate::registry::AnySurrogate;
use crate::simd::Isa;
use crate::stack::Layer;
use crate::tiling::Strided;
use std::sync::OnceLock;

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

/// A layer whose weights are packed once for all samples, by whoever needs them first.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub(super) pass: &'a Reversed<'a>,
    isa: Isa,
    for_spikes: OnceLock<Option<Packed>>,
    for_errors: OnceLock<Option<Packed>>,
    for_gradients: OnceLock<Packed>,
}

impl<'a> Prepared<'a> {
    /// Nothing is packed yet.
    pub(super) fn new(isa: Isa, pass: &'a Reversed<'a>) -> Self {
        Self {
            pass,
            isa,
            for_spikes: OnceLock::new(),
            for_errors: OnceLock::new(),
            for_gradients: OnceLock::new(),
        }
    }

    /// The weights that spikes meet; none if one is infinite or NaN.
    pub(super) fn for_spikes(&self) -> Option<&Packed> {
        let pack = || finite_weights(self.isa, self.pass.layer.weights);
        self.for_spikes.get_or_init(pack).as_ref()
    }

    /// The weights that listed errors meet; none if one is infinite or NaN.
    pub(super) fn for_errors(&self) -> Option<&Packed> {
        let pack = || finite_weights(self.isa, self.pass.layer.weights.transposed());
        self.for_errors.get_or_init(pack).as_ref()
    }

    /// The weights that gradients of all neurons meet.
    pub(super) fn for_gradients(&self) -> &Packed {
        let pack = || dense_weights(self.isa, self.pass.layer.weights.transposed());
        self.for_gradients.get_or_init(pack)
    }
}
