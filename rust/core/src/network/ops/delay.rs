//! A value some steps later.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::memory::Memory;
use super::super::values::Value;
use alloc::format;

/// Most steps of a delay.
const LONGEST: usize = 1 << 20;

/// A ring of so many steps of a value, and where the oldest goes.
#[derive(Debug)]
pub(in super::super) struct Delay {
    input: Value,
    /// The first plane of the ring.
    ring: Value,
    steps: usize,
    output: Value,
}

impl Delay {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let input = builder.read_any(fields, "in")?;
        let steps = fields.size("steps", LONGEST)?;
        let ring = builder.buffer(input.kind, &input.shape, steps)?;
        builder.keep(format!("delay:{output}"), &ring, steps);
        let output = builder.define(output, input.kind, &input.shape)?;
        for delayed in [&ring, &output] {
            builder.bounds.set(delayed, builder.bounds.of(&input));
        }
        Ok(Self {
            output,
            input,
            ring,
            steps,
        })
    }

    pub(super) fn run(&self, memory: &mut Memory) {
        let (kind, neurons) = (self.input.kind, self.input.neurons);
        let oldest = (memory.step % self.steps as u64) as usize;
        let plane = (self.ring.slot, oldest);
        memory.copy(kind, neurons, plane, (self.output.slot, self.output.plane));
        memory.copy(kind, neurons, (self.input.slot, self.input.plane), plane);
    }
}
