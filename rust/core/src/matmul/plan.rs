//! How a product is cut up, which decides its speed and none of its bits.

use crate::parallel::{self, GRAIN};
use crate::simd::{Isa, PAST_CACHES};
use crate::tiling::cut;
use alloc::vec::Vec;
use core::ops::Range;

/// Rows of spikes whose lists of active inputs are made together.
pub(super) const CHUNK: usize = 256;

/// Widest tile of any instruction set.
pub(crate) const WIDEST: usize = 64;
/// Narrowest tile: one vector of AVX-512.
const NARROWEST: usize = 16;

/// Most inputs of a block: with [`WIDEST`] columns, their weights take 512 KB of the second-level cache.
const LARGEST_BLOCK: usize = 2048;
/// Fewest inputs of a block: with [`WIDEST`] columns, their weights take 32 KB of the first-level cache.
const SMALLEST_BLOCK: usize = 128;
/// Most active inputs that a row has in a block, on average, unless the block is the smallest. Larger
/// blocks leave the caches; smaller ones cost a mispredicted branch, a load and a store of the sums
/// for too few additions.
const LIST: f64 = 32.0;

/// Work is cut into about this many items for each thread, so that none waits long for the last.
pub(crate) const ITEMS_PER_THREAD: usize = 4;
/// Most chunks of an item: their sums take 4 MB of scratch memory.
const MOST_CHUNKS: usize = 64;
/// Additions that take about as long as an elementary step of [`parallel`].
pub(crate) const ADDITIONS_PER_STEP: usize = 8;

/// Some columns of the weights, and the power of two that they are padded to.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) columns: Range<usize>,
    pub(super) width: usize,
}

impl Tile {
    /// The numbers of the tile's columns, padded with zeros.
    pub(super) fn padded(&self, numbers: &[f32]) -> [f32; WIDEST] {
        let mut padded = [0.0; WIDEST];
        padded[..self.columns.len()].copy_from_slice(&numbers[self.columns.clone()]);
        padded
    }
}

/// How to compute one product.
#[derive(Debug)]
pub(super) struct Plan {
    /// All columns of the weights.
    pub(super) tiles: Vec<Tile>,
    /// Inputs that are added to all rows of a chunk before the next ones.
    pub(super) block: usize,
    /// Inputs whose weights are packed together: a whole number of blocks.
    pub(super) slab: usize,
    /// Chunks of rows that one item of work covers.
    pub(super) chunks_per_item: usize,
    /// Whether the result is larger than what the caches could keep for its reader.
    pub(super) past_caches: bool,
    /// Elementary steps, for [`parallel::for_each`].
    pub(super) work: usize,
}

impl Plan {
    /// The plan for `count` spikes in `rows` rows of `inputs`, no size 0.
    pub(super) fn new(isa: Isa, count: usize, sizes: [usize; 3]) -> Self {
        let tiles = tiles(isa, sizes[2]).collect();
        Self::of_tiles(tiles, count, sizes)
    }

    /// The same for weights that are packed in tiles of one width.
    pub(super) fn packed(width: usize, count: usize, sizes: [usize; 3]) -> Self {
        let tile = |columns| Tile { columns, width };
        let tiles = cut(0..sizes[2], width).map(tile).collect();
        Self::of_tiles(tiles, count, sizes)
    }

    /// Inputs of a block, for so many spikes in so many rows.
    pub(super) fn block_of(count: usize, rows: usize, inputs: usize) -> usize {
        block(count as f64 / (rows as f64 * inputs as f64))
    }

    /// The numbers of each tile's columns, to write; none of None.
    pub(super) fn by_tile<'a>(
        &self,
        numbers: Option<&'a mut [f32]>,
    ) -> impl Iterator<Item = &'a mut [f32]> + use<'a> {
        let columns = self.tiles[0].columns.len();
        numbers.unwrap_or_default().chunks_mut(columns)
    }

    fn of_tiles(tiles: Vec<Tile>, count: usize, [rows, inputs, outputs]: [usize; 3]) -> Self {
        let additions = count.saturating_add(rows).saturating_mul(outputs);
        let work = inputs
            .saturating_mul(outputs)
            .saturating_add(additions / ADDITIONS_PER_STEP);
        let items = match parallel::threads() {
            threads if threads > 1 && work >= GRAIN => ITEMS_PER_THREAD * threads,
            _ => 1,
        };
        let chunks = rows.div_ceil(CHUNK);
        let per_item = chunks.div_ceil(items.div_ceil(tiles.len()));
        Self {
            chunks_per_item: per_item.min(MOST_CHUNKS),
            block: Self::block_of(count, rows, inputs),
            slab: LARGEST_BLOCK,
            past_caches: rows.saturating_mul(outputs) >= PAST_CACHES,
            tiles,
            work,
        }
    }
}

/// Tiles of the width that is best for an instruction set.
fn tiles(isa: Isa, outputs: usize) -> impl Iterator<Item = Tile> {
    cut(0..outputs, widest(isa)).map(|columns| Tile {
        width: padded(columns.len()),
        columns,
    })
}

/// On AVX2 and on the baseline, the sums of one row of a tile take half of the sixteen registers,
/// which hides the latency of an addition.
fn widest(isa: Isa) -> usize {
    match isa {
        Isa::Scalar => WIDEST / 2,
        Isa::Avx2 | Isa::Avx512 => WIDEST,
    }
}

fn padded(columns: usize) -> usize {
    columns.next_power_of_two().max(NARROWEST)
}

/// The width of the first tile, which no other one exceeds.
pub(crate) fn tile_width(isa: Isa, outputs: usize) -> usize {
    padded(outputs.min(widest(isa)))
}

/// How many inputs to take at a time: a power of two.
fn block(density: f64) -> usize {
    let mut block = LARGEST_BLOCK;
    while block > SMALLEST_BLOCK && block as f64 * density > LIST {
        block /= 2;
    }
    block
}

/// Whether a dense product of the gradient would be faster than
/// [`input_gradient`](super::input_gradient), judged by the share of errors that are not 0, the shape and
/// the instruction set only.
///
/// ```
/// use bitspike::{matmul::gradient_prefers_dense, simd::Isa};
/// assert!(!gradient_prefers_dense(Isa::Avx2, 0.1, 8000, 512)); // a tenth of the neurons is active
/// assert!(gradient_prefers_dense(Isa::Avx2, 0.5, 8000, 512)); // half of them are
/// ```
#[must_use]
pub fn gradient_prefers_dense(isa: Isa, share: f64, rows: usize, inputs: usize) -> bool {
    let cost_of_addition = match isa {
        Isa::Scalar => 4.5,
        Isa::Avx2 | Isa::Avx512 => 3.0,
    };
    let padded = inputs.next_multiple_of(tile_width(isa, inputs));
    let padding = padded as f64 / inputs.max(1) as f64;
    share * cost_of_addition * padding + PACKING / rows.max(1) as f64 > 1.0
}

/// What packing the weights costs, in rows of a dense product.
const PACKING: f64 = 24.0;

/// Whether a dense product of unpacked spikes would be faster, judged by the shape, the density and
/// the instruction set only.
///
/// Adding the weight of an active input costs more than a multiply-add of a dense product, which in
/// turn has one for every input. And weights are packed first, which pays only if enough rows share
/// them. The constants were measured against torch on two cores with AVX-512.
///
/// ```
/// use bitspike::{matmul::prefers_dense, simd::Isa};
/// assert!(!prefers_dense(Isa::Avx2, 0.5, 8000, 512)); // half of the inputs are active
/// assert!(prefers_dense(Isa::Avx2, 0.9, 8000, 512)); // nearly all are
/// assert!(prefers_dense(Isa::Avx2, 0.05, 8, 512)); // few rows
/// ```
#[must_use]
pub fn prefers_dense(isa: Isa, density: f64, rows: usize, outputs: usize) -> bool {
    let cost_of_addition = match isa {
        Isa::Scalar => 3.0,
        Isa::Avx2 | Isa::Avx512 => 1.35,
    };
    let padded: usize = tiles(isa, outputs).map(|tile| tile.width).sum();
    let padding = padded as f64 / outputs.max(1) as f64;
    density * cost_of_addition * padding + PACKING / rows.max(1) as f64 > 1.0
}
