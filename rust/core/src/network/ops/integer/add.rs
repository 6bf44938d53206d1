//! Sums of values in integers.

use super::super::super::Error;
use super::super::super::builder::Builder;
use super::super::super::fields::Fields;
use super::super::super::memory::Memory;
use super::super::super::values::{Kind, Value};
use crate::integer::{Excess, LARGEST};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::padded;
use alloc::vec;
use alloc::vec::Vec;

/// The sum of all inputs.
#[derive(Debug)]
pub(in super::super::super) struct Add {
    inputs: Vec<Value>,
    output: Value,
}

impl Add {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let inputs = builder.terms(fields, Kind::WHOLE)?;
        let mut sums = vec![0_u64; inputs[0].neurons];
        for input in &inputs {
            let bounds = builder.bounds.of(input).into_iter();
            let terms = bounds.zip(&mut sums);
            terms.for_each(|(bound, sum)| *sum += u64::from(bound));
        }
        let sums = sums.into_iter().enumerate();
        let bounds = sums.map(|(neuron, bound)| Excess::check(neuron, bound));
        let bounds = bounds.collect::<Result<_, _>>();
        let bounds = bounds.map_err(|excess| fields.excess(excess, LARGEST))?;
        Ok(Self {
            output: builder.define_integers(output, &inputs[0].shape, bounds)?,
            inputs,
        })
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut out = core::mem::take(&mut memory.integers[self.output.slot]);
        dispatch(
            isa,
            Sums {
                op: self,
                memory,
                out: &mut out,
            },
        );
        memory.integers[self.output.slot] = out;
    }
}

/// Those of all samples.
struct Sums<'a> {
    op: &'a Add,
    memory: &'a Memory,
    out: &'a mut [i32],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, memory, out } = self;
        let neurons = op.output.neurons;
        for (sample, out) in out.chunks_exact_mut(padded(neurons)).enumerate() {
            for first in (0..neurons).step_by(S::LANES) {
                let mut sum = simd.splat_i32(0);
                for input in &op.inputs {
                    let term = memory.row(input, sample).integers(simd, first);
                    sum = simd.add_i32(sum, term);
                }
                simd.store_i32(&mut out[first..], sum);
            }
        }
    }
}
