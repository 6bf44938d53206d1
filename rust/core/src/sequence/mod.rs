#![doc = include_str!("README.md")]

pub(crate) mod adjoint;
mod backward;
pub(crate) mod checkpoint;
mod errors;
mod forward;
mod gradients;
mod joined;
pub(crate) mod start;

pub use backward::{backward, backward_with_errors};
pub use errors::Errors;
pub use forward::{Outputs, forward};
pub use gradients::{Gradients, Learned, OutputGradients};

use crate::Error;
use crate::neuron::{Mechanism, Reset};
use crate::registry::NeuronKind;
use crate::tiling::{Shape, Strided};

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
    /// Whether neurons of a sample share all constants, and a reset subtracts the threshold one step later.
    pub(crate) fn is_plain(&self) -> bool {
        let plain = Reset {
            mechanism: Mechanism::Subtract,
            immediate: false,
        };
        self.reset == plain && self.shares_constants()
    }

    /// Whether neurons of a sample share all constants.
    pub(crate) fn shares_constants(&self) -> bool {
        let others = [&self.threshold, &self.graded_factor];
        let mut constants = self.parameters.iter().chain(others);
        constants.all(|view| !view.per_neuron)
    }

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
