//! Products with weights that are packed once for many of them.

use super::WIDEST;
use super::active::Active;
use super::gather::{Gather, Target, Weights};
use super::packed::Packed;
use super::plan::{CHUNK, Plan};
use crate::simd::{Columns, Isa, dispatch};
use crate::{parallel, spikes};

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
    let mut items = Vec::new();
    for (active, out) in active
        .chunks(plan.chunks_per_item)
        .zip(out.chunks_mut(plan.chunks_per_item * CHUNK * outputs))
    {
        let columns = plan.tiles.iter().map(|tile| tile.columns.clone());
        let bands = Columns::split(out, outputs, columns);
        for ((tile, (_, weights)), out) in plan.tiles.iter().zip(weights.tiles()).zip(bands) {
            items.push(Gather {
                weights: Weights::Tile(weights),
                tile,
                active,
                plan: &plan,
                bias: bias.map_or([0.0; WIDEST], |bias| tile.padded(bias)),
                nonfinite: None,
                column_sums: None,
                target: Target::Rows(out),
            });
        }
    }
    parallel::for_each(items, plan.work, |item| dispatch(isa, item));
}
