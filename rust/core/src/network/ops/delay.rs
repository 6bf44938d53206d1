//! A value some steps later.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::values::{Kind, Memory, Value, row};
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
        let input = builder.read(fields, "in")?;
        let steps = fields.size("steps", LONGEST)?;
        let ring = builder.buffer(input.kind, &input.shape, steps)?;
        builder.keep(format!("delay:{output}"), &ring, steps);
        Ok(Self {
            output: builder.define(output, input.kind, &input.shape)?,
            input,
            ring,
            steps,
        })
    }

    pub(super) fn run(&self, memory: &mut Memory) {
        let len = memory.samples * row(self.input.kind, self.input.neurons);
        let oldest = (memory.step % self.steps as u64) as usize * len;
        match self.input.kind {
            Kind::Spikes => {
                let mut ring = core::mem::take(&mut memory.spikes[self.ring.slot]);
                let plane = &mut ring[oldest..][..len];
                memory.spikes[self.output.slot].copy_from_slice(plane);
                plane.copy_from_slice(memory.spikes_of(&self.input));
                memory.spikes[self.ring.slot] = ring;
            }
            Kind::Numbers => {
                let mut ring = core::mem::take(&mut memory.numbers[self.ring.slot]);
                let plane = &mut ring[oldest..][..len];
                memory.numbers[self.output.slot].copy_from_slice(plane);
                plane.copy_from_slice(memory.numbers_of(&self.input));
                memory.numbers[self.ring.slot] = ring;
            }
        }
    }
}
