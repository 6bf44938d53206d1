//! Rows of spikes whose two axes change places.

use super::layout::{self, WORD_BITS, rows_per_block};
use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::{Isa, compiled_for};
use alloc::vec;

/// Takes each row for a matrix `[outer, inner]` of neurons, and transposes it: feature maps
/// `[channels, pixels]` become pixels of channels.
///
/// # Errors
/// [`Error::Length`] if `words` or `swapped` is not `rows` rows of `outer · inner` neurons,
/// [`Error::Padding`] if spikes have padding bits set, [`Error::Overflow`] if neurons do not fit
/// `u32`.
///
/// ```
/// use bitspike::{simd::Isa, spikes::swap_axes};
/// let mut swapped = [0];
/// swap_axes(Isa::active()?, &[0b001_110], 1, [2, 3], &mut swapped)?;
/// assert_eq!(swapped, [0b01_01_10]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn swap_axes(
    isa: Isa,
    words: &[u64],
    rows: usize,
    [outer, inner]: [usize; 2],
    swapped: &mut [u64],
) -> Result<(), Error> {
    let neurons = Error::checked_product("spikes", &[outer, inner])?;
    layout::check_padded(words, rows, neurons)?;
    Error::check_length("swapped", swapped.len(), &[rows, layout::words(neurons)])?;
    layout::check_indexable(neurons)?;
    if swapped.is_empty() {
        return Ok(());
    }
    let mut places = vec![0; neurons];
    for (o, places) in places.chunks_exact_mut(inner).enumerate() {
        for (i, place) in places.iter_mut().enumerate() {
            *place = (i * outer + o) as u32;
        }
    }
    let row_len = layout::words(neurons);
    let block = rows_per_block(neurons) * row_len;
    let items = words.chunks(block).zip(swapped.chunks_mut(block)).collect();
    parallel::for_each(items, rows * neurons, |(words, swapped)| {
        compiled_for(
            isa,
            #[inline(always)]
            || {
                let rows = words.chunks_exact(row_len);
                for (row, to) in rows.zip(swapped.chunks_exact_mut(row_len)) {
                    move_bits(row, &places, to);
                }
            },
        );
    });
    Ok(())
}

/// Sets bit `places[n]` for each neuron `n` that fires, and no other.
#[inline(always)]
pub(crate) fn move_bits(row: &[u64], places: &[u32], to: &mut [u64]) {
    to.fill(0);
    for (&word, places) in row.iter().zip(places.chunks(WORD_BITS)) {
        let mut rest = word;
        while rest != 0 {
            let place = places[rest.trailing_zeros() as usize] as usize;
            to[place / WORD_BITS] |= 1 << (place % WORD_BITS);
            rest &= rest - 1;
        }
    }
    progress(places.len() / 16);
}
