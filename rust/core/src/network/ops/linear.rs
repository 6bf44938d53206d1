//! `W·x + b`, for spikes or numbers.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::values::{Active, Kind, Memory, Value};
use crate::matmul::Matrix;
use crate::matmul::lists::{Lists, sums_of_lists};
use crate::matmul::nonfinite::Nonfinite;
use crate::matmul::packed::Packed;
use crate::matmul::tile_width;
use crate::simd::{Isa, Kernel, Simd, dispatch};
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
        let weights = Packed::new(matrix, tile_width(builder.isa, outputs));
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
        dispatch(
            isa,
            Product {
                op: self,
                memory,
                active: &mut active,
                out: &mut out,
            },
        );
        memory.active = active;
        memory.numbers[self.output.slot] = out;
    }
}

/// The currents of all samples.
struct Product<'a> {
    op: &'a Linear,
    memory: &'a Memory,
    active: &'a mut Active,
    out: &'a mut [f32],
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            op,
            memory,
            active,
            out,
        } = self;
        let Linear {
            weights,
            bias,
            input,
            output,
            ..
        } = op;
        let stride = padded(input.neurons);
        let numbers = match input.kind {
            Kind::Spikes => None,
            Kind::Numbers => Some(memory.numbers_of(input)),
        };
        match numbers {
            Some(numbers) => active.list_nonzero(simd, numbers, input.neurons),
            None => active.list(memory.spikes_of(input), input.neurons),
        }
        let lists = Lists {
            starts: &active.starts,
            inputs: &active.inputs,
            factors: numbers.map(|numbers| (numbers, stride)),
        };
        let out_stride = padded(output.neurons);
        sums_of_lists(simd, weights, bias, lists, out, out_stride);
        if let Some(nonfinite) = &op.nonfinite {
            let nonzero = match numbers {
                Some(_) => &active.nonzero[..],
                None => memory.spikes_of(input),
            };
            let rows = nonzero.chunks_exact(words(input.neurons));
            for (inputs, out) in rows.zip(out.chunks_exact_mut(out_stride)) {
                nonfinite.of_row(inputs, |output| out[output] = f32::NAN);
            }
        }
    }
}
