//! Packed weights times rows of spikes or numbers.

use super::super::scratch::Active;
use crate::matmul::lists::{Lists, sums_of_lists};
use crate::matmul::packed::Packed;
use crate::simd::{Kernel, Simd};
use crate::spikes::layout::padded;

/// What is multiplied: a row for each sample.
#[derive(Clone, Copy)]
pub(super) enum Rows<'a> {
    /// Words.
    Spikes(&'a [u64]),
    /// Padded rows, of which what is 0 is passed over.
    Numbers(&'a [f32]),
}

/// `out = rows × weights + bias`, whose rows are `stride` long.
pub(super) struct Product<'a> {
    pub(super) weights: &'a Packed,
    /// Padded.
    pub(super) bias: &'a [f32],
    pub(super) rows: Rows<'a>,
    pub(super) active: &'a mut Active,
    pub(super) out: &'a mut [f32],
    pub(super) stride: usize,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            weights,
            bias,
            rows,
            active,
            out,
            stride,
        } = self;
        let inputs = weights.rows();
        let factors = match rows {
            Rows::Spikes(spikes) => {
                active.list(spikes, inputs);
                None
            }
            Rows::Numbers(numbers) => {
                active.list_nonzero(simd, numbers, inputs);
                Some((numbers, padded(inputs)))
            }
        };
        let lists = Lists {
            starts: &active.starts,
            inputs: &active.inputs,
            factors,
        };
        sums_of_lists(simd, weights, bias, lists, out, stride);
    }
}
