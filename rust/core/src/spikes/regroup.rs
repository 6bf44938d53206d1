//! Long rows cut into short ones.

use super::layout::{self, WORD_BITS, rows_per_block, tail_mask};
use crate::Error;
use crate::parallel::{self, progress};

/// Parts of a row between two places where a call can be interrupted.
const PARTS: usize = 256;

/// Cuts each of `rows` rows of `parts · neurons` spikes into `parts` rows of `neurons`, each with
/// padding of its own.
///
/// # Errors
/// [`Error::Length`] if `joined` or `cut` does not have that shape.
///
/// ```
/// use bitspike::spikes::cut_rows;
/// let mut cut = [0; 3];
/// cut_rows(&[0b11_01_10], 1, 3, 2, &mut cut)?;
/// assert_eq!(cut, [0b10, 0b01, 0b11]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn cut_rows(
    joined: &[u64],
    rows: usize,
    parts: usize,
    neurons: usize,
    cut: &mut [u64],
) -> Result<(), Error> {
    let long = Error::checked_product("spikes", &[parts, neurons])?;
    layout::check(joined, rows, long)?;
    Error::check_length("cut", cut.len(), &[rows, parts, layout::words(neurons)])?;
    if cut.is_empty() {
        return Ok(());
    }
    let (long_words, short_words) = (layout::words(long), layout::words(neurons));
    let block = rows_per_block(long);
    let items = joined
        .chunks(block * long_words)
        .zip(cut.chunks_mut(block * parts * short_words))
        .collect();
    parallel::for_each(items, joined.len() * WORD_BITS, |(joined, cut)| {
        let rows = joined.chunks_exact(long_words);
        for (row, cut) in rows.zip(cut.chunks_exact_mut(parts * short_words)) {
            for (part, words) in cut.chunks_exact_mut(short_words).enumerate() {
                for (i, word) in words.iter_mut().enumerate() {
                    *word = bits_at(row, part * neurons + i * WORD_BITS);
                }
                words[short_words - 1] &= tail_mask(neurons);
                if part % PARTS == PARTS - 1 {
                    progress(PARTS * neurons);
                }
            }
        }
    });
    Ok(())
}

/// The 64 bits of a row from bit `start` on; zeros beyond its end.
#[inline(always)]
pub(crate) fn bits_at(row: &[u64], start: usize) -> u64 {
    let (word, shift) = (start / WORD_BITS, start % WORD_BITS);
    let low = row[word] >> shift;
    match row.get(word + 1) {
        None => low,
        // In two shifts, of which none is as wide as a word.
        Some(next) => low | next << 1 << (WORD_BITS - 1 - shift),
    }
}
