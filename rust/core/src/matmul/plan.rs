//! How a product is cut up: a pure function of shape and density.

use crate::parallel::{self, GRAIN};
use crate::simd::Isa;
use std::ops::Range;

/// Rows of spikes whose lists of active inputs are made together.
pub(super) const CHUNK: usize = 256;

/// Widest tile: with AVX2 its sums take eight of the sixteen registers, enough to hide the latency
/// of an addition.
pub(super) const WIDEST: usize = 64;
/// Narrowest tile: one vector of AVX-512.
const NARROWEST: usize = 16;

/// Most inputs of a block: with [`WIDEST`] columns, their weights take 512 KB of the second-level cache.
const LARGEST_BLOCK: usize = 2048;
/// Fewest inputs of a block: with [`WIDEST`] columns, their weights take 32 KB of the first-level cache.
const SMALLEST_BLOCK: usize = 128;
/// A list of active inputs should not be much shorter than half of this: each costs a mispredicted
/// branch, and a load and a store of the sums.
const LIST: f64 = 32.0;

/// Work is cut into at least this many items for each thread, so that none waits long for the last.
const ITEMS_PER_THREAD: usize = 4;

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
    /// Additions, for [`parallel::for_each`].
    pub(super) work: usize,
}

impl Plan {
    /// The plan for `count` spikes in `rows` rows of `inputs`, no size 0.
    pub(super) fn new(count: usize, [rows, inputs, outputs]: [usize; 3]) -> Self {
        let tiles: Vec<_> = tiles(outputs).collect();
        let work = count.saturating_add(rows).saturating_mul(outputs);
        let items = if work < GRAIN {
            1
        } else {
            ITEMS_PER_THREAD * parallel::threads()
        };
        let chunks = rows.div_ceil(CHUNK);
        let density = count as f64 / (rows as f64 * inputs as f64);
        Self {
            chunks_per_item: chunks.div_ceil(items.div_ceil(tiles.len())),
            block: block(density),
            slab: LARGEST_BLOCK,
            tiles,
            work,
        }
    }
}

fn tiles(outputs: usize) -> impl Iterator<Item = Tile> {
    cut(0..outputs, WIDEST).map(|columns| Tile {
        width: columns.len().next_power_of_two().max(NARROWEST),
        columns,
    })
}

/// How many inputs to take at a time: a power of two.
fn block(density: f64) -> usize {
    let mut block = LARGEST_BLOCK;
    while block > SMALLEST_BLOCK && block as f64 * density > LIST {
        block /= 2;
    }
    block
}

/// Cuts a range into consecutive pieces of `size`, the last one possibly shorter.
#[inline(always)]
pub(super) fn cut(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(
        #[inline(always)]
        move |start| start..end.min(start + size),
    )
}

/// What packing the weights costs, in rows of a dense product.
const PACKING: f64 = 24.0;

/// Whether a dense product with unpacked spikes would be faster, by this rule of measured constants.
///
/// The dense product does one multiply-add where this one adds the weights of active inputs, at a
/// cost that is larger by a factor; and this one first packs the weights, which pays only if enough
/// rows share them.
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
    let padded: usize = tiles(outputs).map(|tile| tile.width).sum();
    let padding = padded as f64 / outputs.max(1) as f64;
    density * cost_of_addition * padding + PACKING / rows.max(1) as f64 > 1.0
}
