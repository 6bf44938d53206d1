//! One matrix, written by several threads at once: each owns the same columns of every row.
//!
//! Sequences lie time-major, `[T, B·N]`, and work is split over neurons, so a thread's share is a
//! band of columns: strided memory that `chunks_mut` cannot express.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Range;

/// A band of columns of a row-major matrix, writable by its owner only.
#[derive(Debug)]
pub struct Columns<'a, T> {
    /// First element of the band in row 0. Never read or written when `rows` or `width` is 0.
    first: *mut T,
    rows: usize,
    stride: usize,
    width: usize,
    matrix: PhantomData<&'a mut [T]>,
}

// SAFETY: a band is an exclusive borrow of its elements, as `&mut [T]` is; bands of one matrix
// are disjoint (checked by `split`).
unsafe impl<T: Send> Send for Columns<'_, T> {}

impl<'a, T> Columns<'a, T> {
    /// Splits the matrix whose rows are `row_len` long into one band per range of `bands`.
    ///
    /// # Panics
    /// If the matrix is not a whole number of rows, or the ranges are not ascending, disjoint and
    /// within a row.
    pub fn split(
        matrix: &'a mut [T],
        row_len: usize,
        bands: impl IntoIterator<Item = Range<usize>>,
    ) -> Vec<Self> {
        let rows = matrix.len().checked_div(row_len).unwrap_or(0);
        assert_eq!(rows * row_len, matrix.len(), "the matrix has a broken row");
        let base = matrix.as_mut_ptr();
        let mut free = 0;
        bands
            .into_iter()
            .map(|band| {
                assert!(
                    free <= band.start && band.start <= band.end && band.end <= row_len,
                    "band {band:?} overlaps its predecessor or leaves the row of {row_len}"
                );
                free = band.end;
                Self {
                    // `wrapping_add`: an empty band at the end of an empty matrix points nowhere.
                    first: base.wrapping_add(band.start),
                    rows,
                    stride: row_len,
                    width: band.len(),
                    matrix: PhantomData,
                }
            })
            .collect()
    }

    /// Rows of the matrix.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Elements from a row to the next.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// The band's part of one row.
    ///
    /// # Panics
    /// If the matrix has no such row.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [T] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        // SAFETY: `row < rows`, and `split` checked that the band lies within each row, so these
        // `width` elements are inside the borrowed matrix; no other band contains them, and the
        // exclusive borrow of `self` rules out a second slice from this one.
        unsafe { core::slice::from_raw_parts_mut(self.first.add(row * self.stride), self.width) }
    }
}

#[cfg(test)]
mod tests {
    use super::Columns;

    #[test]
    fn bands_write_their_own_columns() {
        let mut matrix = [0; 12];
        for (i, mut band) in Columns::split(&mut matrix, 4, [0..1, 1..3, 3..4])
            .into_iter()
            .enumerate()
        {
            for row in 0..3 {
                band.row(row).fill(i + 1);
            }
        }
        assert_eq!(matrix, [1, 2, 2, 3, 1, 2, 2, 3, 1, 2, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "overlaps")]
    fn overlapping_bands_are_refused() {
        let _ = Columns::split(&mut [0; 8], 4, [0..2, 1..3]);
    }

    #[test]
    #[should_panic(expected = "leaves the row")]
    fn bands_outside_the_row_are_refused() {
        let _ = Columns::split(&mut [0; 8], 4, core::iter::once(0..5));
    }

    #[test]
    fn an_empty_matrix_has_no_rows() {
        let mut empty: [u8; 0] = [];
        assert_eq!(
            Columns::split(&mut empty, 0, core::iter::once(0..0)).len(),
            1
        );
    }
}
