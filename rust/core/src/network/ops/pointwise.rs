//! What is done to each neuron by itself: sums, factors, thresholds.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::memory::Memory;
use super::super::parameter::Parameter;
use super::super::values::{Kind, Value};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use alloc::vec;
use alloc::vec::Vec;

/// An op that takes neurons one by one.
#[derive(Debug)]
pub(in super::super) struct Pointwise {
    formula: Formula,
    inputs: Vec<Value>,
    output: Value,
}

#[derive(Debug)]
enum Formula {
    /// The sum of all inputs, from the first on.
    Add,
    /// The input times a factor: numbers also of integers.
    Scale(Parameter),
    /// Whether the input exceeds a threshold.
    Threshold(Parameter),
}

impl Pointwise {
    pub(super) fn read_add(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let inputs = builder.terms(fields, Kind::FLOATS)?;
        let shape = inputs[0].shape.clone();
        Ok(Self {
            formula: Formula::Add,
            output: builder.define(output, Kind::Numbers, &shape)?,
            inputs,
        })
    }

    pub(super) fn read_scale(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let input = builder.read_any(fields, "in")?;
        let factor = builder.parameter(fields, "factor", &input.shape)?;
        Ok(Self {
            formula: Formula::Scale(factor),
            output: builder.define(output, Kind::Numbers, &input.shape)?,
            inputs: vec![input],
        })
    }

    pub(super) fn read_threshold(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let input = builder.read(fields, "in")?;
        let threshold = builder.parameter(fields, "threshold", &input.shape)?;
        fields.choice("fire_at", &["gt"])?;
        Ok(Self {
            formula: Formula::Threshold(threshold),
            output: builder.define(output, Kind::Spikes, &input.shape)?,
            inputs: vec![input],
        })
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let output = &self.output;
        match output.kind {
            Kind::Spikes => {
                let mut spikes = core::mem::take(&mut memory.spikes[output.slot]);
                dispatch(
                    isa,
                    Each {
                        op: self,
                        memory,
                        numbers: &mut [],
                        spikes: &mut spikes,
                    },
                );
                memory.spikes[output.slot] = spikes;
            }
            Kind::Numbers => {
                let mut numbers = core::mem::take(&mut memory.numbers[output.slot]);
                dispatch(
                    isa,
                    Each {
                        op: self,
                        memory,
                        numbers: &mut numbers,
                        spikes: &mut [],
                    },
                );
                memory.numbers[output.slot] = numbers;
            }
            Kind::Integers => unreachable!("these ops make none"),
        }
    }
}

/// All neurons of all samples, into the one or the other.
struct Each<'a> {
    op: &'a Pointwise,
    memory: &'a Memory,
    numbers: &'a mut [f32],
    spikes: &'a mut [u64],
}

impl Kernel for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            op,
            memory,
            numbers,
            spikes,
        } = self;
        let neurons = op.output.neurons;
        let (row, row_words) = (padded(neurons), words(neurons));
        spikes.fill(0);
        for sample in 0..memory.samples {
            for first in (0..neurons).step_by(S::LANES) {
                let x = memory.row(&op.inputs[0], sample).numbers(simd, first);
                let x = match &op.formula {
                    Formula::Add => op.inputs[1..].iter().fold(
                        x,
                        #[inline(always)]
                        |sum, input| simd.add(sum, memory.row(input, sample).numbers(simd, first)),
                    ),
                    Formula::Scale(factor) => simd.mul(x, factor.load(simd, first)),
                    Formula::Threshold(threshold) => {
                        let fires = simd.to_bits(simd.gt(x, threshold.load(simd, first)));
                        let place = sample * row_words + first / WORD_BITS;
                        spikes[place] |= fires << (first % WORD_BITS);
                        continue;
                    }
                };
                simd.store(&mut numbers[sample * row + first..], x);
            }
            if let Some(last) = spikes.get_mut((sample + 1) * row_words - 1) {
                *last &= tail_mask(neurons);
            }
        }
    }
}
