//! What threads write, split between them and put together again.

use super::Strided;
use crate::parallel::progress;
use crate::simd::Columns;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// The columns that each part owns of an optional output matrix; `None`s without an output.
pub(crate) fn split_columns<'a, T, P: Clone>(
    matrix: Option<&'a mut [T]>,
    row_len: usize,
    parts: &[P],
    columns: impl Fn(P) -> Range<usize>,
) -> alloc::vec::IntoIter<Option<Columns<'a, T>>> {
    let split: Vec<_> = match matrix {
        Some(matrix) => {
            let ranges = parts.iter().cloned().map(columns);
            Columns::split(matrix, row_len, ranges)
                .into_iter()
                .map(Some)
                .collect()
        }
        None => parts.iter().map(|_| None).collect(),
    };
    split.into_iter()
}

/// Sums one value per sample and neuron into the layout of a view: `[B, N]`, `[N]` or one number.
pub(crate) fn sum_repeats(view: &Strided<'_>, neurons: usize, values: &[f32], out: &mut [f32]) {
    let mut sums = vec![0.0f64; out.len()];
    // Without neurons there are no values, however many a row has.
    for (sample, values) in values.chunks(neurons.max(1)).enumerate() {
        progress(neurons);
        for (neuron, &value) in values.iter().enumerate() {
            sums[view.offset(sample, neuron)] += f64::from(value);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = sum as f32;
    }
}
