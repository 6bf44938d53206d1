//! Products with weights that are packed once for many of them.

use super::active::Active;
use super::gather::{Target, Weights};
use super::packed::Packed;
use super::plan::Plan;
use super::{by_rows, nothing};
use crate::simd::{Isa, dispatch};
use crate::{parallel, spikes};
use alloc::vec::Vec;
use core::ops::Range;

/// Rows of spikes whose active inputs are listed, for products with some columns of weights at a time.
#[derive(Debug)]
pub(crate) struct Listed {
    rows: usize,
    inputs: usize,
    /// How many inputs are active, over all rows.
    count: usize,
    active: Vec<Active>,
}

impl Listed {
    /// Lists the active inputs of some rows.
    pub(crate) fn new(isa: Isa, spikes: &[u64], rows: usize, inputs: usize) -> Self {
        let count = spikes::count(isa, spikes) as usize;
        let block = Plan::block_of(count, rows, inputs);
        Self {
            rows,
            inputs,
            count,
            active: Active::lists(isa, spikes, rows, inputs, block),
        }
    }

    /// `out = spikes × weights + bias` for some columns of finite weights, from the first of a tile on;
    /// `bias` and `out`, `[rows, columns]`, are of these alone. The bits of
    /// [`product`](super::product).
    pub(crate) fn product(
        &self,
        isa: Isa,
        weights: &Packed,
        columns: Range<usize>,
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        if self.inputs == 0 {
            return nothing(bias, columns.len(), out);
        }
        let sizes = [self.rows, self.inputs, columns.len()];
        let plan = Plan::packed(weights.width(), self.count, sizes);
        let tiles = weights.tiles().skip(columns.start / weights.width());
        let of_tiles: Vec<_> = tiles.map(|(_, tile)| Weights::Tile(tile)).collect();
        let to = (Target::Rows as super::ToTarget<'_>, out);
        let items = by_rows(&plan, &self.active, &of_tiles, bias, None, to);
        parallel::for_each(items, plan.work, |item| dispatch(isa, item));
    }
}
