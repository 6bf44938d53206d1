//! A matrix laid out for many products.

use super::Matrix;
use crate::parallel::{self, progress};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::tiling::cut;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// A matrix cut into tiles of columns, each of which lies row after row: a kernel that runs down the
/// columns of a tile reads ahead in memory, and begins every row at a vector.
#[derive(Debug)]
pub(crate) struct Packed {
    buffer: Vec<f32>,
    /// Where the tiles lie in the buffer: from a cache line on.
    place: Range<usize>,
    rows: usize,
    width: usize,
}

impl Packed {
    /// A copy of the matrix, with zeros in the columns that its last tile lacks.
    pub(crate) fn new(isa: Isa, matrix: Matrix<'_>, width: usize) -> Self {
        const LINE: usize = 64;
        let [rows, columns] = matrix.shape();
        let len = rows * width * columns.div_ceil(width);
        let mut buffer = vec![0.0; len + LINE / size_of::<f32>()];
        let start = buffer.as_ptr().align_offset(LINE);
        let place = start..start + len;
        let to = &mut buffer[place.clone()];
        pack_tiles(isa, matrix, width, to);
        Self {
            buffer,
            place,
            rows,
            width,
        }
    }

    /// Whether no number is infinite or NaN.
    pub(crate) fn is_finite(&self) -> bool {
        // Without an early end, which would keep it from being done in vectors.
        let bad = |bad, x: &f32| bad | !x.is_finite();
        !self.buffer[self.place.clone()].iter().fold(false, bad)
    }

    /// Rows of the matrix.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Columns per tile.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The first column and the rows of each tile.
    #[inline(always)]
    pub(crate) fn tiles(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let size = (self.rows * self.width).max(1);
        let tiles = self.buffer[self.place.clone()].chunks_exact(size);
        (0..).step_by(self.width).zip(tiles)
    }
}

/// Copies the tiles of a matrix, one behind the other, with zeros in the columns that the last lacks.
pub(crate) fn pack_tiles(isa: Isa, matrix: Matrix<'_>, width: usize, to: &mut [f32]) {
    let [rows, columns] = matrix.shape();
    let work = to.len();
    let tiles = to.chunks_exact_mut((rows * width).max(1));
    let items = cut(0..columns, width).zip(tiles);
    let items = items.map(|(columns, tile)| Pack {
        matrix,
        columns,
        width,
        tile,
    });
    parallel::for_each(items.collect(), work, |item| dispatch(isa, item));
}

/// Some columns of a matrix, as a tile.
#[derive(Debug)]
struct Pack<'a> {
    matrix: Matrix<'a>,
    columns: Range<usize>,
    width: usize,
    tile: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (rows, size) = (self.matrix.shape()[0], self.tile.len());
        self.matrix
            .pack(simd, 0..rows, self.columns, self.width, self.tile);
        progress(size);
    }
}
