//! Products of packed weights with a few rows of inputs, whose active ones are listed: a step of a
//! layer.

use super::ADDITIONS_PER_STEP;
use super::gather::{add, add_selected, store};
use super::packed::Packed;
use crate::parallel::progress;
use crate::simd::Simd;

/// The active inputs of each row, ascending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lists<'a> {
    /// Where each list starts, and where the last one ends.
    pub(crate) starts: &'a [usize],
    pub(crate) inputs: &'a [u32],
    /// Rows of numbers of this length, one for each input, that it counts; if None, 1.
    pub(crate) factors: Option<(&'a [f32], usize)>,
}

impl<'a> Lists<'a> {
    /// The list of each row.
    #[inline(always)]
    fn rows(self) -> impl Iterator<Item = &'a [u32]> {
        let ends = self.starts.windows(2);
        ends.map(
            #[inline(always)]
            move |ends| &self.inputs[ends[0]..ends[1]],
        )
    }

    /// Elementary steps, as [`progress`] counts them, of a tile.
    #[inline(always)]
    fn work(self, width: usize) -> usize {
        self.inputs.len() * width / ADDITIONS_PER_STEP
    }
}

/// The sums that [`product`](super::product) forms of rows of spikes: from 0, in ascending order, the
/// padded bias last. Rows of `out` are `stride` long: at least as long as all tiles together.
#[inline(always)]
pub(crate) fn sums_of_lists<S: Simd>(
    simd: S,
    weights: &Packed,
    bias: &[f32],
    lists: Lists<'_>,
    out: &mut [f32],
    stride: usize,
) {
    match weights.width() / S::LANES {
        1 => sums::<S, 1>(simd, weights, bias, lists, out, stride),
        2 => sums::<S, 2>(simd, weights, bias, lists, out, stride),
        4 => sums::<S, 4>(simd, weights, bias, lists, out, stride),
        8 => sums::<S, 8>(simd, weights, bias, lists, out, stride),
        vectors => unreachable!("no tile is {vectors} vectors wide"),
    }
}

#[inline(always)]
fn sums<S: Simd, const V: usize>(
    simd: S,
    weights: &Packed,
    bias: &[f32],
    lists: Lists<'_>,
    out: &mut [f32],
    stride: usize,
) {
    for (first, tile) in weights.tiles() {
        progress(lists.work(V * S::LANES));
        for (row, inputs) in lists.rows().enumerate() {
            let mut sum = [simd.splat(0.0); V];
            match lists.factors {
                None => add_selected(simd, &mut sum, tile, inputs),
                Some((factors, len)) => {
                    add_weighted(simd, &mut sum, tile, inputs, &factors[row * len..][..len]);
                }
            }
            add(simd, &mut sum, &bias[first..][..V * S::LANES]);
            store(simd, &mut out[row * stride + first..], sum);
        }
    }
}

/// Adds the rows of a tile that the active inputs select, times the number of the input.
#[inline(always)]
fn add_weighted<S: Simd, const V: usize>(
    simd: S,
    sum: &mut [S::F32; V],
    tile: &[f32],
    inputs: &[u32],
    factors: &[f32],
) {
    let width = V * S::LANES;
    for &input in inputs {
        let row = &tile[input as usize * width..][..width];
        let factor = simd.splat(factors[input as usize]);
        for (v, sum) in sum.iter_mut().enumerate() {
            let weight = simd.load(&row[v * S::LANES..]);
            *sum = simd.add(*sum, simd.mul(factor, weight));
        }
    }
}
