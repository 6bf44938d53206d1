//! A strided view of numbers, and copying a piece of it into a contiguous tile.

use crate::Error;
use crate::simd::{Simd, array};
use crate::tiling::cut;
use core::ops::Range;

/// A read-only matrix of any strides, checked to lie within its buffer.
///
/// ```
/// use bitspike::matmul::Matrix;
///
/// // `nn.Linear` keeps its weight as `[outputs, inputs]`; the product wants `[inputs, outputs]`.
/// let weight = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let matrix = Matrix::new("weight", &weight, [2, 3], [3, 1])?.transposed();
/// assert_eq!(matrix.shape(), [3, 2]);
/// # Ok::<(), bitspike::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    data: &'a [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

/// Rows of a tile that stay in the first-level cache while they are filled column by column.
const BLOCK: usize = 64;
/// Side of the squares that are transposed in registers.
const SQUARE: usize = 8;

impl<'a> Matrix<'a> {
    /// The matrix whose element `(i, j)` is `data[i * strides[0] + j * strides[1]]`. A stride of 0
    /// repeats a row or a column.
    ///
    /// # Errors
    /// [`Error::Stride`] or [`Error::Overflow`], naming `what`, if the last element lies beyond `data`.
    pub fn new(
        what: &'static str,
        data: &'a [f32],
        shape: [usize; 2],
        strides: [usize; 2],
    ) -> Result<Self, Error> {
        if !shape.contains(&0) {
            let last = |axis: usize| (shape[axis] - 1).checked_mul(strides[axis]);
            let reach = last(0)
                .zip(last(1))
                .and_then(|(row, column)| row.checked_add(column))
                .ok_or(Error::Overflow { what })?;
            if reach >= data.len() {
                return Err(Error::Stride {
                    what,
                    found: data.len(),
                    reach,
                });
            }
        }
        Ok(Self {
            data,
            shape,
            strides,
        })
    }

    /// The same numbers with rows and columns exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        let ([rows, columns], [row, column]) = (self.shape, self.strides);
        Self {
            data: self.data,
            shape: [columns, rows],
            strides: [column, row],
        }
    }

    /// Rows and columns.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The numbers of a column.
    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = f32> {
        (0..self.shape[0]).map(move |row| self.data[self.offset(row, column)])
    }

    /// Copies `rows` × `columns` into a tile whose rows are `width` long, and zeros the rest of them.
    #[inline(always)]
    pub(crate) fn pack<S: Simd>(
        &self,
        simd: S,
        rows: Range<usize>,
        columns: Range<usize>,
        width: usize,
        tile: &mut [f32],
    ) {
        if columns.len() < width {
            tile.fill(0.0);
        }
        if self.strides[1] == 1 {
            for (row, to) in rows.zip(tile.chunks_exact_mut(width)) {
                let from = &self.data[self.offset(row, columns.start)..][..columns.len()];
                let (vectors, rest) = from.split_at(from.len() / S::LANES * S::LANES);
                let (to_vectors, to_rest) = to.split_at_mut(vectors.len());
                // Rows are short, and a call of the C library for each takes longer.
                let pairs = to_vectors.chunks_exact_mut(S::LANES);
                for (to, from) in pairs.zip(vectors.chunks_exact(S::LANES)) {
                    simd.store(to, simd.load(from));
                }
                to_rest[..rest.len()].copy_from_slice(rest);
            }
            return;
        }
        for (rows, to) in cut(rows, BLOCK).zip(tile.chunks_mut(BLOCK * width)) {
            for (first, columns) in (0..).step_by(SQUARE).zip(cut(columns.clone(), SQUARE)) {
                let mut rest = rows.clone();
                if self.strides[0] == 1 && columns.len() == SQUARE {
                    let to = &mut to[first..];
                    rest.start += self.pack_squares(simd, rows.clone(), columns.start, width, to);
                }
                for row in rest {
                    let to = &mut to[(row - rows.start) * width + first..];
                    for (to, column) in to.iter_mut().zip(columns.clone()) {
                        *to = self.data[self.offset(row, column)];
                    }
                }
            }
        }
    }

    /// Copies [`SQUARE`] contiguous columns to the start of the rows of a tile, and returns how many
    /// rows it filled: a multiple of [`SQUARE`].
    #[inline(always)]
    fn pack_squares<S: Simd>(
        &self,
        simd: S,
        rows: Range<usize>,
        first_column: usize,
        width: usize,
        tile: &mut [f32],
    ) -> usize {
        let columns: [&[f32]; SQUARE] = array(
            #[inline(always)]
            |j| &self.data[self.offset(rows.start, first_column + j)..][..rows.len()],
        );
        let mut row = 0;
        while row + SQUARE <= rows.len() {
            let square: [&[f32]; SQUARE] = array(
                #[inline(always)]
                |j| &columns[j][row..],
            );
            simd.transpose_square(square, &mut tile[row * width..], width);
            row += SQUARE;
        }
        row
    }

    #[inline(always)]
    fn offset(&self, row: usize, column: usize) -> usize {
        row * self.strides[0] + column * self.strides[1]
    }
}
