//! Products with weights that are packed once for many of them.

use super::active::Active;
use super::by_rows;
use super::gather::{Target, Weights};
use super::packed::Packed;
use super::plan::Plan;
use crate::simd::{Isa, dispatch};
use crate::{parallel, spikes};
use alloc::vec::Vec;

/// `out = spikes × weights + bias` for `out` `[rows, outputs]`, neither of them 0, and finite weights:
/// the bits of [`product`](super::product).
pub(crate) fn product_of_packed(
    isa: Isa,
    spikes: &[u64],
    weights: &Packed,
    bias: Option<&[f32]>,
    outputs: usize,
    out: &mut [f32],
) {
    let (rows, inputs) = (out.len() / outputs, weights.rows());
    let count = spikes::count(isa, spikes) as usize;
    let plan = Plan::packed(weights.width(), count, [rows, inputs, outputs]);
    let active = Active::lists(isa, spikes, rows, inputs, plan.block);
    let of_tiles: Vec<_> = weights
        .tiles()
        .map(|(_, tile)| Weights::Tile(tile))
        .collect();
    let items = by_rows(&plan, &active, &of_tiles, bias, None, (Target::Rows, out));
    parallel::for_each(items, plan.work, |item| dispatch(isa, item));
}
