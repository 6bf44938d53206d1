//! Samples joined into one long row of neurons.
//!
//! Neurons do not know of each other, so where the samples of a step lie side by side, `B` rows of
//! `N` neurons may as well be one row of `B·N`. Narrow layers, ten neurons say, would leave most
//! lanes of a tile empty; joined, they fill them.

use super::{Layer, OutputGradients};
use crate::tiling::{Shape, Strided};

/// Neurons of the widest tile: rows of a multiple of these leave no lanes empty.
const WIDEST: usize = 128;

impl Shape {
    /// One row of all neurons, if that fills more lanes.
    fn joined(self) -> Option<Self> {
        let narrow = self.samples > 1 && !self.neurons.is_multiple_of(WIDEST);
        narrow.then_some(Self {
            samples: 1,
            neurons: self.samples * self.neurons,
            ..self
        })
    }
}

/// Joins all views, or none.
fn all<'a>(views: &[Strided<'a>], shape: Shape) -> Option<Vec<Strided<'a>>> {
    views.iter().map(|view| view.joined(shape)).collect()
}

impl<'a> Layer<'a> {
    /// The same layer with its samples joined, if that is possible and worth while.
    pub(super) fn joined(&self) -> Option<Self> {
        let shape = self.shape;
        Some(Self {
            shape: shape.joined()?,
            current: self.current.joined(shape)?,
            parameters: all(&self.parameters, shape)?,
            threshold: self.threshold.joined(shape)?,
            graded_factor: self.graded_factor.joined(shape)?,
            initial: all(&self.initial, shape)?,
            ..*self
        })
    }
}

impl OutputGradients<'_> {
    /// The same gradients with the samples of a layer of that shape joined, if that is possible.
    pub(crate) fn joined(&self, shape: Shape) -> Option<Self> {
        Some(Self {
            spikes: self.spikes.joined(shape)?,
            states: all(&self.states, shape)?,
            last: all(&self.last, shape)?,
        })
    }
}
