//! The kernel: sums of those rows of a matrix that the spikes select.

use super::active::Active;
use super::matrix::Matrix;
use super::nonfinite::are_finite;
use super::plan::{ADDITIONS_PER_STEP, Plan, Tile, WIDEST};
use crate::parallel::{Scratch, progress};
use crate::simd::{Columns, Kernel, Simd, array};
use crate::tiling::cut;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

/// The sums of some rows of spikes, for one tile of the weights.
#[derive(Debug)]
pub(super) struct Gather<'a> {
    pub(super) weights: Weights<'a>,
    pub(super) tile: &'a Tile,
    pub(super) active: &'a [Active],
    pub(super) plan: &'a Plan,
    /// Added last, padded like the tile.
    pub(super) bias: [f32; WIDEST],
    /// Where to say that a weight of the tile is not finite.
    pub(super) nonfinite: Option<&'a AtomicBool>,
    /// Where the sums of all rows of the weights go, for the tile's columns.
    pub(super) column_sums: Option<&'a mut [f32]>,
    pub(super) target: Target<'a>,
}

/// What is summed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weights<'a> {
    /// The tile's columns of a matrix.
    Matrix(Matrix<'a>),
    /// The tile itself, packed: so many rows of its width.
    Tile(&'a [f32]),
}

/// Where finished sums go.
#[derive(Debug)]
pub(super) enum Target<'a> {
    /// To the same row.
    Rows(Columns<'a, f32>),
    /// Likewise: sums go on from what is there.
    Sums(Columns<'a, f32>),
    /// To the same column, of rows that are the tile's columns.
    Transposed(Columns<'a, f32>),
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.tile.width / S::LANES {
            1 => self.sum::<S, 1>(simd),
            2 => self.sum::<S, 2>(simd),
            4 => self.sum::<S, 4>(simd),
            8 => self.sum::<S, 8>(simd),
            vectors => unreachable!("no tile is {vectors} vectors wide"),
        }
    }
}

impl Gather<'_> {
    /// `V` vectors make the tile's width.
    #[inline(always)]
    fn sum<S: Simd, const V: usize>(mut self, simd: S) {
        let mut scratch = Scratch::take();
        let width = V * S::LANES;
        let inputs = self.inputs();
        let rows = self.active.iter().map(|active| active.rows).sum::<usize>();
        let slab = match self.weights {
            Weights::Matrix(_) => inputs.min(self.plan.slab),
            Weights::Tile(_) => 0,
        };
        let [packed, sums] = scratch.slices([slab * width, rows * width]);
        for slab in cut(0..inputs, self.plan.slab) {
            let place = slab.start * width..slab.end * width;
            let weights = match self.weights {
                Weights::Matrix(matrix) => {
                    let packed = &mut packed[..place.len()];
                    matrix.pack(simd, slab.clone(), self.tile.columns.clone(), width, packed);
                    &*packed
                }
                Weights::Tile(tile) => &tile[place],
            };
            if let Some(nonfinite) = self.nonfinite
                && !are_finite::<S, V>(simd, weights)
            {
                nonfinite.store(true, Ordering::Relaxed);
            }
            if let Some(out) = &mut self.column_sums {
                add_rows::<S, V>(simd, weights, out);
            }
            progress(slab.len() * width);
            let mut first_row = 0;
            for active in self.active {
                let sums = &mut sums[first_row * width..][..active.rows * width];
                for block in cut(slab.clone(), self.plan.block) {
                    let weights =
                        &weights[(block.start - slab.start) * width..][..block.len() * width];
                    self.add_block::<S, V>(simd, block, weights, active, first_row, sums);
                }
                first_row += active.rows;
                progress(
                    active.additions(slab.clone(), self.plan.block) * width / ADDITIONS_PER_STEP,
                );
            }
        }
        if let Target::Transposed(out) = &mut self.target {
            transpose(sums, width, self.tile.columns.len(), out);
        }
        scratch.put_back();
        simd.drain();
    }

    /// How many rows the weights have.
    #[inline(always)]
    fn inputs(&self) -> usize {
        match self.weights {
            Weights::Matrix(matrix) => matrix.shape()[0],
            Weights::Tile(tile) => tile.len() / self.tile.width,
        }
    }

    /// Adds the weights of a block of inputs to the sums of a chunk of rows. The first block starts
    /// the sums and the last one finishes them.
    #[inline(always)]
    fn add_block<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        block: Range<usize>,
        weights: &[f32],
        active: &Active,
        first_row: usize,
        sums: &mut [f32],
    ) {
        let width = V * S::LANES;
        let is_first = block.start == 0;
        let is_last = block.end == self.inputs();
        let list = block.start / self.plan.block;
        for (row, kept) in sums.chunks_exact_mut(width).enumerate() {
            let mut sum = match &mut self.target {
                _ if !is_first => load(simd, kept),
                Target::Sums(out) => load_partial(simd, out.row(first_row + row)),
                Target::Rows(_) | Target::Transposed(_) => [simd.splat(0.0); V],
            };
            add_selected(simd, &mut sum, weights, active.inputs(list, row));
            match &mut self.target {
                Target::Rows(out) if is_last => {
                    add(simd, &mut sum, &self.bias[..width]);
                    let out = out.row(first_row + row);
                    if self.plan.past_caches && out.len() == width {
                        stream(simd, out, sum);
                    } else {
                        store_partial(simd, out, sum);
                    }
                }
                Target::Sums(out) if is_last => store_partial(simd, out.row(first_row + row), sum),
                _ => store(simd, kept, sum),
            }
        }
    }
}

#[inline(always)]
pub(crate) fn load<S: Simd, const V: usize>(simd: S, from: &[f32]) -> [S::F32; V] {
    array(
        #[inline(always)]
        |v| simd.load(&from[v * S::LANES..]),
    )
}

/// As [`load`], of a row that may be narrower than the tile.
#[inline(always)]
fn load_partial<S: Simd, const V: usize>(simd: S, from: &[f32]) -> [S::F32; V] {
    if from.len() == V * S::LANES {
        return load(simd, from);
    }
    let mut sum = [simd.splat(0.0); V];
    for (sum, from) in sum.iter_mut().zip(from.chunks(S::LANES)) {
        *sum = simd.load_partial(from);
    }
    sum
}

/// Adds the rows of a tile that the active inputs select.
#[inline(always)]
pub(crate) fn add_selected<S: Simd, const V: usize>(
    simd: S,
    sum: &mut [S::F32; V],
    tile: &[f32],
    inputs: &[u32],
) {
    let width = V * S::LANES;
    for &input in inputs {
        add(simd, sum, &tile[input as usize * width..][..width]);
    }
}

/// Adds a row of numbers.
#[inline(always)]
pub(crate) fn add<S: Simd, const V: usize>(simd: S, sum: &mut [S::F32; V], row: &[f32]) {
    for (v, sum) in sum.iter_mut().enumerate() {
        *sum = simd.add(*sum, simd.load(&row[v * S::LANES..]));
    }
}

/// Adds all rows of a slab to the sums of its columns. Four partial sums keep the rounding errors of
/// long columns down.
#[inline(always)]
fn add_rows<S: Simd, const V: usize>(simd: S, slab: &[f32], sums: &mut [f32]) {
    let width = V * S::LANES;
    let mut parts = [[simd.splat(0.0); V]; 4];
    for rows in slab.chunks(parts.len() * width) {
        for (part, row) in parts.iter_mut().zip(rows.chunks_exact(width)) {
            add(simd, part, row);
        }
    }
    for (v, sums) in sums.chunks_mut(S::LANES).enumerate() {
        let [a, b, c, d] = array(
            #[inline(always)]
            |part| parts[part][v],
        );
        let sum = simd.add(simd.add(a, b), simd.add(c, d));
        simd.store_partial(sums, simd.add(simd.load_partial(sums), sum));
    }
}

/// Writes sums to the start of a row.
#[inline(always)]
pub(crate) fn store<S: Simd, const V: usize>(simd: S, to: &mut [f32], sum: [S::F32; V]) {
    for (v, sum) in sum.into_iter().enumerate() {
        simd.store(&mut to[v * S::LANES..], sum);
    }
}

/// As [`store`], past the caches.
#[inline(always)]
pub(super) fn stream<S: Simd, const V: usize>(simd: S, to: &mut [f32], sum: [S::F32; V]) {
    for (v, sum) in sum.into_iter().enumerate() {
        simd.stream(&mut to[v * S::LANES..], sum);
    }
}

/// As [`store`], to a row that may be narrower than the tile.
#[inline(always)]
pub(crate) fn store_partial<S: Simd, const V: usize>(simd: S, to: &mut [f32], sum: [S::F32; V]) {
    if to.len() == V * S::LANES {
        return store(simd, to, sum);
    }
    for (to, sum) in to.chunks_mut(S::LANES).zip(sum) {
        simd.store_partial(to, sum);
    }
}

/// Writes the first `columns` columns of `sums` to the rows of `out`.
#[inline(always)]
fn transpose(sums: &[f32], width: usize, columns: usize, out: &mut Columns<'_, f32>) {
    /// Rows of the sums that stay in the first-level cache while their columns are read.
    const ROWS: usize = 64;
    for (first, sums) in (0..).step_by(ROWS).zip(sums.chunks(ROWS * width)) {
        for column in 0..columns {
            let to = &mut out.row(column)[first..];
            for (to, row) in to.iter_mut().zip(sums.chunks_exact(width)) {
                *to = row[column];
            }
        }
    }
}
