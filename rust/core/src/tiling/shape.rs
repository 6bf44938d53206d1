//! The size of a sequence.

use crate::simd::PAST_CACHES;

/// The size of a sequence `[T, B, N]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `T`
    pub steps: usize,
    /// `B`
    pub samples: usize,
    /// `N`
    pub neurons: usize,
}

impl Shape {
    /// One value per neuron and sample: `B·N`.
    pub(crate) fn row(self) -> [usize; 2] {
        [self.samples, self.neurons]
    }

    /// One value per neuron, sample and step: `T·B·N`.
    pub(crate) fn all(self) -> [usize; 3] {
        [self.steps, self.samples, self.neurons]
    }

    /// The shape of views that time leaves alone: parameters, thresholds, first and last states.
    pub(crate) fn once(self) -> Self {
        Self { steps: 1, ..self }
    }

    /// Whether a sequence of this shape is larger than what caches keep.
    pub(crate) fn is_past_caches(self) -> bool {
        self.work() >= PAST_CACHES
    }

    /// Elementary steps of a call, by which threads are given out; saturating.
    pub fn work(self) -> usize {
        self.all().into_iter().fold(1, usize::saturating_mul)
    }
}
