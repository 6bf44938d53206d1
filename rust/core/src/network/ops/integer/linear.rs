//! `W·x + b` in integers, for spikes or integers.

use super::super::super::Error;
use super::super::super::builder::Builder;
use super::super::super::fields::Fields;
use super::super::super::memory::Memory;
use super::super::super::values::{Kind, Value};
use super::weights::Weights;
use crate::integer::{self, Excess, FACTOR, Groups, Packed, sums_of_integers, sums_of_spikes};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::indices;
use crate::spikes::layout::{padded, words};
use alloc::format;
use alloc::vec::Vec;

/// A linear layer. Inputs that are 0 are passed over.
#[derive(Debug)]
pub(in super::super::super) struct Linear {
    weights: Packed,
    /// Padded.
    bias: Vec<i32>,
    input: Value,
    output: Value,
}

impl Linear {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let name = fields.text("in")?;
        let input = builder.value_of(fields, "in", &name, Kind::WHOLE)?;
        let Weights {
            shape,
            numbers,
            mut bias,
        } = Weights::read(builder, fields)?;
        let (&[outputs, inputs], &[found]) = (&shape[..], &input.shape[..]) else {
            return Err(fields.shape(format!(
                "a weight of shape {shape:?} and an input of shape {:?}; they must be [outputs, \
                 inputs] and [inputs]",
                input.shape
            )));
        };
        if inputs != found {
            return Err(fields.shape(format!(
                "a weight for {inputs} inputs, of which there are {found}"
            )));
        }
        let largest = largest(builder, fields, &input)?;
        let bounds = fields.bounds(integer::of_sums(&numbers, &bias, &largest))?;
        bias.resize(padded(outputs), 0);
        if input.kind == Kind::Integers {
            let sizes = &mut builder.sizes;
            sizes.widest_of_integers = sizes.widest_of_integers.max(inputs);
        }
        builder.sizes.widest = builder.sizes.widest.max(inputs);
        Ok(Self {
            weights: Packed::new(
                builder.isa,
                &numbers,
                outputs,
                builder.bounds.factors(&input),
            ),
            bias,
            input,
            output: builder.define_integers(output, &[outputs], bounds)?,
        })
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut out = core::mem::take(&mut memory.integers[self.output.slot]);
        dispatch(
            isa,
            Product {
                op: self,
                memory,
                out: &mut out,
            },
        );
        memory.integers[self.output.slot] = out;
    }
}

/// The largest magnitude of each input of a product: integers must fit 16 bits.
pub(super) fn largest(
    builder: &Builder<'_>,
    fields: &Fields,
    input: &Value,
) -> Result<Vec<u32>, Error> {
    let bounds = builder.bounds.of(input);
    if let Some(neuron) = bounds.iter().position(|&bound| bound > FACTOR) {
        let bound = bounds[neuron].into();
        return Err(fields.excess(Excess { neuron, bound }, FACTOR.into()));
    }
    Ok(bounds)
}

/// The sums of all samples.
struct Product<'a> {
    op: &'a Linear,
    memory: &'a mut Memory,
    out: &'a mut [i32],
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, memory, out } = self;
        let Linear {
            weights,
            bias,
            input,
            output,
        } = op;
        let inputs = input.neurons;
        let mut active = core::mem::take(&mut memory.active);
        let outs = out.chunks_exact_mut(padded(output.neurons));
        if input.kind == Kind::Spikes {
            let rows = memory.spikes_of(input).chunks_exact(words(inputs));
            for (row, out) in rows.zip(outs) {
                let count = indices::append(row, &mut active.inputs, 0);
                sums_of_spikes(simd, weights, bias, &active.inputs[..count], out);
            }
        } else {
            let mut joined = core::mem::take(&mut memory.joined);
            let rows = memory.integers_of(input).chunks_exact(padded(inputs));
            for (row, out) in rows.zip(outs) {
                let groups = Groups {
                    joined: &mut joined,
                    active: &mut active.inputs,
                };
                sums_of_integers(simd, weights, bias, &row[..inputs], groups, out);
            }
            memory.joined = joined;
        }
        memory.active = active;
    }
}
