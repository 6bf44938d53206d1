//! `W·x + b`, for spikes or numbers.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::memory::Memory;
use super::super::values::{Kind, Value};
use super::product::{Product, Rows};
use crate::matmul::Matrix;
use crate::matmul::nonfinite::Nonfinite;
use crate::matmul::packed::Packed;
use crate::matmul::tile_width;
use crate::simd::{Isa, dispatch};
use crate::spikes::layout::{padded, words};
use alloc::format;
use alloc::vec::Vec;

/// A linear layer, its weights a row for each input. Inputs that are 0 are passed over.
#[derive(Debug)]
pub(in super::super) struct Linear {
    weights: Packed,
    /// Padded.
    bias: Vec<f32>,
    nonfinite: Option<Nonfinite>,
    input: Value,
    output: Value,
}

impl Linear {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let input = builder.read(fields, "in")?;
        let name = fields.text("weight")?;
        let tensor = builder.tensors.tensor(&name)?;
        let (&[outputs, inputs], &[found]) = (&tensor.shape[..], &input.shape[..]) else {
            return Err(fields.shape(format!(
                "a weight of shape {:?} and an input of shape {:?}; they must be [outputs, inputs] \
                 and [inputs]",
                tensor.shape, input.shape
            )));
        };
        if outputs == 0 || inputs != found {
            return Err(fields.shape(format!(
                "a weight for {inputs} inputs and {outputs} outputs, of which there are {found} and \
                 at least 1"
            )));
        }
        let numbers = tensor.numbers()?;
        let matrix = Matrix::new("weight", &numbers, [outputs, inputs], [inputs, 1])?.transposed();
        let weights = Packed::new(builder.isa, matrix, tile_width(builder.isa, outputs));
        builder.sizes.widest = builder.sizes.widest.max(inputs);
        Ok(Self {
            nonfinite: (!weights.is_finite()).then(|| Nonfinite::new(matrix)),
            weights,
            bias: builder.bias(fields, outputs)?,
            input,
            output: builder.define(output, Kind::Numbers, &[outputs])?,
        })
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut out = core::mem::take(&mut memory.numbers[self.output.slot]);
        let mut active = core::mem::take(&mut memory.active);
        let rows = match self.input.kind {
            Kind::Spikes => Rows::Spikes(memory.spikes_of(&self.input)),
            Kind::Numbers => Rows::Numbers(memory.numbers_of(&self.input)),
            Kind::Integers => unreachable!("integers are refused when the op is read"),
        };
        let stride = padded(self.output.neurons);
        dispatch(
            isa,
            Product {
                weights: &self.weights,
                bias: &self.bias,
                rows,
                active: &mut active,
                out: &mut out,
                stride,
            },
        );
        if let Some(nonfinite) = &self.nonfinite {
            let inputs = match rows {
                Rows::Spikes(spikes) => spikes,
                Rows::Numbers(_) => &active.nonzero,
            };
            let inputs = inputs.chunks_exact(words(self.input.neurons));
            for (inputs, out) in inputs.zip(out.chunks_exact_mut(stride)) {
                nonfinite.of_row(inputs, |output| out[output] = f32::NAN);
            }
        }
        memory.active = active;
        memory.numbers[self.output.slot] = out;
    }
}
