//! Weights that are infinite or NaN: a dense product shows them in every row, because 0 times them is
//! NaN. Sums of the rows of active inputs miss those of the others, which are looked for here.

use super::Matrix;
use crate::parallel::{self, progress};
use crate::simd::Simd;
use crate::spikes::layout::{WORD_BITS, words};
use alloc::vec;
use alloc::vec::Vec;

/// Whether all numbers of the rows of a tile are finite, `V` vectors a row.
#[inline(always)]
pub(super) fn are_finite<S: Simd, const V: usize>(simd: S, tile: &[f32]) -> bool {
    // Zeros, or NaN.
    let mut sums = [simd.splat(0.0); V];
    for row in tile.chunks_exact(V * S::LANES) {
        for (v, sum) in sums.iter_mut().enumerate() {
            let x = simd.load(&row[v * S::LANES..]);
            *sum = simd.add(*sum, simd.mul(simd.splat(0.0), x));
        }
    }
    let one = simd.splat(1.0);
    let all = simd.to_bits(simd.gt(one, simd.splat(0.0)));
    sums.into_iter()
        .all(|sum| simd.to_bits(simd.gt(one, sum)) == all)
}

/// The inputs of an output whose weights are not finite.
#[derive(Debug)]
struct Column {
    output: usize,
    /// As a row of spikes.
    inputs: Vec<u64>,
}

/// Where the weights of a product are not finite.
#[derive(Debug)]
pub(crate) struct Nonfinite(Vec<Column>);

impl Nonfinite {
    /// Looks at every weight of a matrix of a row for each input.
    pub(crate) fn new(weights: Matrix<'_>) -> Self {
        let [inputs, outputs] = weights.shape();
        let mut columns: Vec<_> = (0..outputs).map(|_| None).collect();
        let items = columns.iter_mut().enumerate().collect();
        parallel::for_each(
            items,
            inputs.saturating_mul(outputs),
            |(output, column): (usize, &mut Option<Column>)| {
                let mut bits = vec![0; words(inputs)];
                for (input, weight) in weights.column(output).enumerate() {
                    bits[input / WORD_BITS] |=
                        u64::from(!weight.is_finite()) << (input % WORD_BITS);
                }
                if bits.iter().any(|&bits| bits != 0) {
                    *column = Some(Column {
                        output,
                        inputs: bits,
                    });
                }
            },
        );
        Self(columns.into_iter().flatten().collect())
    }

    /// Calls `spoil` with every output that is NaN because of an input that is silent in this row of
    /// spikes.
    #[inline(always)]
    pub(crate) fn of_row(&self, spikes: &[u64], mut spoil: impl FnMut(usize)) {
        for Column { output, inputs } in &self.0 {
            let silent = inputs
                .iter()
                .zip(spikes)
                .any(|(bad, spikes)| bad & !spikes != 0);
            if silent {
                spoil(*output);
            }
        }
        progress(self.0.len() * spikes.len());
    }

    /// Does so for the rows of a product: `out` is `[rows, outputs]`.
    pub(super) fn spoil(&self, spikes: &[u64], row_len: usize, outputs: usize, out: &mut [f32]) {
        let rows = spikes
            .chunks_exact(row_len)
            .zip(out.chunks_exact_mut(outputs));
        let work = spikes.len().saturating_mul(self.0.len());
        parallel::for_each(rows.collect(), work, |(spikes, out)| {
            self.of_row(spikes, |output| out[output] = f32::NAN);
        });
    }

    /// Does so for a transposed product: `out` is `[outputs, rows]`.
    pub(super) fn spoil_transposed(&self, spikes: &[u64], row_len: usize, out: &mut [f32]) {
        let rows = spikes.len() / row_len;
        for (row, spikes) in spikes.chunks_exact(row_len).enumerate() {
            self.of_row(spikes, |output| out[output * rows + row] = f32::NAN);
        }
    }
}
