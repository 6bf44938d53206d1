#![doc = include_str!("README.md")]

mod allocate;
mod backward;
mod build;
mod compiled;
mod forward;
mod inputs;
mod joined;
mod machine;
mod op;
mod plan;
mod tile;

pub use backward::{Gradients, backward};
pub use compiled::Compiled;
pub use forward::{Outputs, forward};
pub use inputs::Inputs;
pub use op::Op;

use crate::Error;

/// One operation, and the values that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub op: Op,
    /// Numbers of earlier values.
    pub operands: Vec<usize>,
}

/// One step of a neuron.
///
/// Its values are numbered: sequences, states, constants, immediates, then one for each instruction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// How many values change from step to step.
    pub sequences: usize,
    /// How many are carried from step to step.
    pub states: usize,
    /// How many stay.
    pub constants: usize,
    /// Numbers of the program itself.
    pub immediates: Vec<f32>,
    /// What a step computes.
    pub code: Vec<Instruction>,
    /// The value that is not 0 where a neuron fires.
    pub spikes: Option<usize>,
    /// Values that are written at every step.
    pub outputs: Vec<usize>,
    /// For each state its value after the step.
    pub next: Vec<usize>,
    /// Values that are summed over the steps.
    pub sums: Vec<usize>,
}

impl Program {
    /// How many values there are in front of those of instructions.
    pub(crate) fn inputs(&self) -> usize {
        self.sequences + self.states + self.constants + self.immediates.len()
    }

    /// Checks every number of an operand or of a value.
    fn check(&self) -> Result<(), Error> {
        let sizes = [self.sequences, self.states, self.constants];
        let sizes = sizes
            .into_iter()
            .chain([self.immediates.len(), self.code.len()]);
        let values = sizes.into_iter().try_fold(0usize, usize::checked_add);
        let values = values.ok_or(Error::Overflow { what: "values" })?;
        for (i, Instruction { op, operands }) in self.code.iter().enumerate() {
            let (instruction, op, limit) = (i, *op, self.inputs() + i);
            if operands.len() != op.arity() {
                return Err(Error::Operands {
                    instruction,
                    op: op.name(),
                    found: operands.len(),
                    expected: op.arity(),
                });
            }
            if let Some(&operand) = operands.iter().find(|&&operand| operand >= limit) {
                return Err(Error::Operand {
                    instruction,
                    op: op.name(),
                    operand,
                    limit,
                });
            }
        }
        Error::check_length("next", self.next.len(), &[self.states])?;
        let of = |what, found: &[usize]| match found.iter().find(|&&value| value >= values) {
            Some(&value) => Err(Error::OutOfRange {
                what,
                found: i64::try_from(value).unwrap_or(i64::MAX),
                limit: values,
            }),
            None => Ok(()),
        };
        of("the value of the spikes", self.spikes.as_slice())?;
        of("the value of an output", &self.outputs)?;
        of("the next value of a state", &self.next)?;
        of("the value of a sum", &self.sums)
    }
}
