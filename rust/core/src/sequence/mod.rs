//! The two time loops: a layer of neurons over a whole sequence, forward and backward.
//!
//! Work is split over tiles: eight vectors of neurons of one sample. A tile runs through all steps
//! with its state in registers. Backward keeps nothing of the forward pass: it recomputes the
//! membrane from the input current into a scratch that stays in the cache.

pub(crate) mod adjoint;
mod advance;
mod backward;
mod forward;
mod history;
mod joined;
mod reverse;
pub mod scan;
pub(crate) mod start;
mod strided;
pub(crate) mod tile;

pub(crate) use backward::sum_repeats;
pub use backward::{Gradients, OutputGradients, backward};
pub use forward::{Outputs, forward};
pub use strided::Strided;

use crate::Error;
use crate::neuron::Reset;
use crate::registry::NeuronKind;
use crate::simd::PAST_CACHES;

/// Vectors of neurons per tile: enough independent ones to hide the latency of a step.
pub(crate) const TILE: usize = 8;

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
    fn is_past_caches(self) -> bool {
        self.work() >= PAST_CACHES
    }

    /// Elementary steps, as [`crate::parallel::for_each`] counts work; saturating.
    pub(crate) fn work(self) -> usize {
        self.all().into_iter().fold(1, usize::saturating_mul)
    }
}

/// A layer of neurons and what drives it.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// Which neuron.
    pub neuron: NeuronKind,
    /// How it is reset.
    pub reset: Reset,
    /// `[T, B, N]`
    pub shape: Shape,
    /// The input current, `[T, B, N]`.
    pub current: Strided<'a>,
    /// One view `[B, N]` per parameter of the neuron; time strides are 0.
    pub parameters: Vec<Strided<'a>>,
    /// The threshold `θ`, `[B, N]`.
    pub threshold: Strided<'a>,
    /// What a spike counts in dense output, `γ`, `[B, N]`.
    pub graded_factor: Strided<'a>,
    /// One view `[B, N]` per state: its value before the first step.
    pub initial: Vec<Strided<'a>>,
}

impl Layer<'_> {
    /// Checks every view against the shape.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (parameters, states) = (self.neuron.parameters(), self.neuron.states());
        Error::check_length("parameters", self.parameters.len(), &[parameters.len()])?;
        Error::check_length("initial states", self.initial.len(), &[states.len()])?;
        self.neuron.check_reset(self.reset)?;
        Error::checked_product("current", &self.shape.all())?;
        self.current.check("current", self.shape)?;
        let once = self.shape.once();
        self.threshold.check("threshold", once)?;
        self.graded_factor.check("graded_factor", once)?;
        for (view, name) in self.parameters.iter().zip(parameters) {
            view.check(name, once)?;
        }
        self.initial
            .iter()
            .try_for_each(|view| view.check("an initial state", once))
    }
}
