//! What a program runs on.

use super::compiled::Compiled;
use crate::Error;
use crate::tiling::{Shape, Strided};

/// What a program runs on.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// `[T, B, N]`
    pub shape: Shape,
    /// What changes from step to step, `[T, B, N]` each.
    pub sequences: Vec<Strided<'a>>,
    /// Per state, its value before the first step, `[B, N]`.
    pub initial: Vec<Strided<'a>>,
    /// What stays, `[B, N]` each; time strides are 0.
    pub constants: Vec<Strided<'a>>,
}

impl Inputs<'_> {
    /// Checks every view against the program and the shape.
    pub(super) fn check(&self, compiled: &Compiled) -> Result<(), Error> {
        let (program, shape) = (compiled.program(), self.shape);
        Error::check_length("sequences", self.sequences.len(), &[program.sequences])?;
        Error::check_length("initial states", self.initial.len(), &[program.states])?;
        Error::check_length("constants", self.constants.len(), &[program.constants])?;
        Error::checked_product("a sequence", &shape.all())?;
        for view in &self.sequences {
            view.check("a sequence", shape)?;
        }
        for view in &self.initial {
            view.check("an initial state", shape.once())?;
        }
        let mut constants = self.constants.iter();
        constants.try_for_each(|view| view.check("a constant", shape.once()))
    }
}
