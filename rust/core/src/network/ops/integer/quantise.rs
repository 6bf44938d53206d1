//! Numbers as integers.

use super::super::super::Error;
use super::super::super::builder::Builder;
use super::super::super::fields::Fields;
use super::super::super::memory::Memory;
use super::super::super::values::{Kind, Value};
use crate::integer::FACTOR;
use crate::simd::{Isa, compiled_for};
use alloc::vec;

/// `1.5·2^23`: added to a number that is much smaller, it leaves the nearest integer, the even one of
/// two, in the last bits of the sum.
const ROUNDS: f32 = 12_582_912.0;

/// `clamp(round(x / scale), low, high)`, half to even; NaN becomes `low`.
#[derive(Debug)]
pub(in super::super::super) struct Quantise {
    scale: f32,
    low: f32,
    high: f32,
    input: Value,
    output: Value,
}

impl Quantise {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let input = builder.read(fields, "in")?;
        if input.kind != Kind::Numbers {
            return Err(fields.value("in", "numbers: spikes are integers already"));
        }
        let scale = fields.number("scale")? as f32;
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(fields.value("scale", "a positive number"));
        }
        let limit = i64::from(FACTOR);
        let low = fields.integer("low", [-limit, limit])?;
        let high = fields.integer("high", [low, limit])?;
        let bound = low.unsigned_abs().max(high.unsigned_abs()) as u32;
        let bounds = vec![bound; input.neurons];
        let output = builder.define_integers(output, &input.shape, bounds)?;
        if low >= 0 {
            builder.bounds.set_natural(&output);
        }
        Ok(Self {
            scale,
            low: low as f32,
            high: high as f32,
            input,
            output,
        })
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut out = core::mem::take(&mut memory.integers[self.output.slot]);
        let numbers = memory.numbers_of(&self.input);
        compiled_for(
            isa,
            #[inline(always)]
            || {
                for (to, number) in out.iter_mut().zip(numbers) {
                    let x = number / self.scale;
                    let x = if x > self.low { x } else { self.low };
                    let x = if x < self.high { x } else { self.high };
                    let sum = (x + ROUNDS).to_bits() as i32;
                    *to = sum - ROUNDS.to_bits() as i32;
                }
            },
        );
        memory.integers[self.output.slot] = out;
    }
}
