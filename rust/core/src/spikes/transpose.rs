//! Bits of a matrix, rows for columns.

use super::layout::{self, WORD_BITS};
use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::{Isa, compiled_for};

/// Blocks of 64 × 64 bits that are transposed together: as many as fill a vector and, in the
/// result, a cache line.
pub(super) const LINE: usize = 8;

/// Transposing a word takes that many of the elementary steps of [`parallel::GRAIN`].
const STEPS: usize = 8;

/// One row of each of such blocks.
pub(super) type Line = [u64; LINE];
/// The rows of such blocks, side by side.
type Blocks = [Line; WORD_BITS];

/// Transposes `rows` rows of `columns` bits: bit `c` of row `r` becomes bit `r` of row `c`.
///
/// # Errors
/// [`Error::Length`] if `words` is not `rows` rows of `columns`, or `transposed` not `columns` rows
/// of `rows`.
///
/// ```
/// use bitspike::{simd::Isa, spikes::transpose};
/// let mut transposed = [0; 3];
/// transpose(Isa::active()?, &[0b110, 0b010], 2, 3, &mut transposed)?;
/// assert_eq!(transposed, [0b00, 0b11, 0b01]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn transpose(
    isa: Isa,
    words: &[u64],
    rows: usize,
    columns: usize,
    transposed: &mut [u64],
) -> Result<(), Error> {
    layout::check(words, rows, columns)?;
    Error::check_length(
        "transposed",
        transposed.len(),
        &[columns, layout::words(rows)],
    )?;
    if transposed.is_empty() {
        return Ok(());
    }
    let row_len = layout::words(columns);
    let transposed_len = layout::words(rows);
    // The rows of the result that come from one word of each row.
    let items = transposed
        .chunks_mut(WORD_BITS * transposed_len)
        .enumerate()
        .collect();
    parallel::for_each(
        items,
        words.len() * STEPS,
        |(word, transposed): (usize, &mut [u64])| {
            compiled_for(
                isa,
                #[inline(always)]
                || {
                    let column = words[word..].iter().step_by(row_len);
                    transpose_column(column, transposed, transposed_len);
                },
            );
        },
    );
    Ok(())
}

/// Transposes a column of words to up to 64 rows of `row_len` words.
#[inline(always)]
fn transpose_column<'a>(
    mut column: impl Iterator<Item = &'a u64>,
    transposed: &mut [u64],
    row_len: usize,
) {
    for first in (0..row_len).step_by(LINE) {
        let width = LINE.min(row_len - first);
        let mut blocks = [[0; LINE]; WORD_BITS];
        for block in 0..width {
            for (row, &word) in blocks.iter_mut().zip(&mut column) {
                row[block] = word;
            }
        }
        transpose_blocks(&mut blocks);
        progress(WORD_BITS * width * STEPS);
        for (row, block_row) in transposed.chunks_exact_mut(row_len).zip(&blocks) {
            row[first..first + width].copy_from_slice(&block_row[..width]);
        }
    }
}

/// Swaps the off-diagonal quarters of each block, then of each quarter, and so on down to bits.
#[inline(always)]
fn transpose_blocks(blocks: &mut Blocks) {
    swap_quarters::<32, 32>(blocks, 0x0000_0000_ffff_ffff);
    swap_quarters::<16, 16>(blocks, 0x0000_ffff_0000_ffff);
    swap_quarters::<8, 8>(blocks, 0x00ff_00ff_00ff_00ff);
    transpose_octets(blocks);
}

/// Transposes the squares of 8 × 8 bits.
#[inline(always)]
fn transpose_octets(rows: &mut [Line]) {
    swap_quarters::<4, 4>(rows, 0x0f0f_0f0f_0f0f_0f0f);
    swap_quarters::<2, 2>(rows, 0x3333_3333_3333_3333);
    swap_quarters::<1, 1>(rows, 0x5555_5555_5555_5555);
}

/// Gathers bit `c` of each of 8 rows, for all `c`, in byte `c % 8` of row `c / 8`.
#[inline(always)]
pub(super) fn to_bytes(rows: &mut [Line; 8]) {
    transpose_octets(rows);
    // That was byte `c / 8` of row `c % 8`; what is left is to transpose 8 × 8 bytes.
    swap_quarters::<4, 32>(rows, 0x0000_0000_ffff_ffff);
    swap_quarters::<2, 16>(rows, 0x0000_ffff_0000_ffff);
    swap_quarters::<1, 8>(rows, 0x00ff_00ff_00ff_00ff);
}

/// In every rectangle of `2·ROWS` rows and `2·COLUMNS` bits: the upper half of its first rows for
/// the lower half (`mask`) of its last.
#[inline(always)]
fn swap_quarters<const ROWS: usize, const COLUMNS: usize>(rows: &mut [Line], mask: u64) {
    for rectangle in rows.chunks_exact_mut(2 * ROWS) {
        let (first, last) = rectangle.split_at_mut(ROWS);
        let first = first.as_flattened_mut();
        for (a, b) in first.iter_mut().zip(last.as_flattened_mut()) {
            let differing = (*a >> COLUMNS ^ *b) & mask;
            *a ^= differing << COLUMNS;
            *b ^= differing;
        }
    }
}
