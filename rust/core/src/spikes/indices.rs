//! Positions of the spikes in each row, and back.

use super::count_rows;
use super::layout::{self, WORD_BITS, clear, rows_per_block};
use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::{Isa, compiled_for};
use alloc::vec;
use alloc::vec::Vec;

/// How much room [`append`] needs behind the last index that it appends.
pub(crate) const SLACK: usize = WORD_BITS;

/// Listing a word takes that many of the elementary steps of [`parallel::GRAIN`].
pub(super) const STEPS: usize = 16;

/// Writes the positions of the set bits of a row into `buffer`, ascending, from `position` on, and
/// returns the position behind the last. What lies behind that is overwritten with rubbish.
///
/// Spikes are rare, so a loop over the set bits would mispredict its end in nearly every word.
/// Instead, four positions are written unseen, four more if the word holds more than four, and only
/// the popcount decides how far to advance.
///
/// # Panics
/// If `buffer` has less than [`SLACK`] elements left when the last word is reached.
#[inline(always)]
pub(crate) fn append(row: &[u64], buffer: &mut [u32], mut position: usize) -> usize {
    for (w, &word) in row.iter().enumerate() {
        let Some(window) = buffer[position..].first_chunk_mut::<SLACK>() else {
            panic!("no slack behind position {position}");
        };
        let base = (w * WORD_BITS) as u32;
        let count = word.count_ones() as usize;
        let mut rest = word;
        extract(base, &mut rest, &mut window[..4]);
        if count > 4 {
            extract(base, &mut rest, &mut window[4..8]);
        }
        if count > 8 {
            extract(base, &mut rest, &mut window[8..count]);
        }
        position += count;
    }
    position
}

/// Moves the lowest set bits of `rest` to `slots`, as positions counted from `base`.
#[inline(always)]
fn extract(base: u32, rest: &mut u64, slots: &mut [u32]) {
    for slot in slots {
        *slot = base + rest.trailing_zeros();
        *rest &= rest.wrapping_sub(1);
    }
}

/// Lists the neurons that fire, row by row: those of row `r` are
/// `indices[starts[r]..starts[r + 1]]`, ascending. With `one_based`, the first neuron is 1.
///
/// # Errors
/// [`Error::Length`] if `words` is not `rows` rows of `neurons`, `starts` not `rows + 1` long, or
/// `indices` not as long as [`count`](fn@super::count) says; [`Error::Overflow`] if neurons do not
/// fit `u32`.
///
/// A spike train of ten steps, `[0,0,0,0,1,0,0,0,0,1]`, is "1 at position 5; 1 at position 10":
///
/// ```
/// use bitspike::{simd::Isa, spikes::{count, pack, to_indices}};
/// let isa = Isa::active()?;
/// let mut words = [0];
/// pack(isa, &[0u8, 0, 0, 0, 1, 0, 0, 0, 0, 1], 1, 10, &mut words)?;
/// let mut starts = [0; 2];
/// let mut indices = vec![0; count(isa, &words) as usize];
/// to_indices(isa, &words, 1, 10, true, &mut starts, &mut indices)?;
/// assert_eq!(indices, [5, 10]);
/// to_indices(isa, &words, 1, 10, false, &mut starts, &mut indices)?;
/// assert_eq!(indices, [4, 9]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn to_indices(
    isa: Isa,
    words: &[u64],
    rows: usize,
    neurons: usize,
    one_based: bool,
    starts: &mut [u64],
    indices: &mut [u32],
) -> Result<(), Error> {
    layout::check(words, rows, neurons)?;
    let starts_len = rows
        .checked_add(1)
        .ok_or(Error::Overflow { what: "starts" })?;
    Error::check_length("starts", starts.len(), &[starts_len])?;
    layout::check_indexable(neurons)?;
    let mut counts = vec![0; rows];
    count_rows(isa, words, rows, neurons, &mut counts)?;
    let total: u64 = counts.iter().sum();
    Error::check_length("indices", indices.len(), &[total as usize])?;

    let row_len = layout::words(neurons).max(1);
    let block = rows_per_block(row_len);
    let mut items = Vec::new();
    let mut rest = indices;
    let mut start = 0;
    for (words, counts) in words.chunks(block * row_len).zip(counts.chunks(block)) {
        let (own, others) = rest.split_at_mut(counts.iter().sum::<u64>() as usize);
        items.push((words, own));
        rest = others;
    }
    for (slot, count) in starts.iter_mut().zip(counts.iter().chain(&[0])) {
        *slot = start;
        start += count;
    }
    let base = u32::from(one_based);
    parallel::for_each(items, words.len() * STEPS, |(words, indices)| {
        compiled_for(
            isa,
            #[inline(always)]
            || {
                let mut buffer = vec![0; row_len * WORD_BITS + SLACK];
                let mut filled = 0;
                for row in words.chunks_exact(row_len) {
                    let count = append(row, &mut buffer, 0);
                    for (slot, &index) in indices[filled..filled + count].iter_mut().zip(&buffer) {
                        *slot = index + base;
                    }
                    filled += count;
                }
            },
        );
    });
    Ok(())
}

/// The spikes that [`to_indices`] listed, in any order within a row and repeated at will.
///
/// # Errors
/// [`Error::OutOfRange`] if an index is no neuron, or `starts` does not ascend within `indices`;
/// [`Error::Length`] if `starts` is not `rows + 1` long, does not begin with 0 or end with the
/// length of `indices`, or `words` is not `rows` rows of `neurons`. Nothing is written then.
pub fn from_indices(
    starts: &[u64],
    indices: &[u32],
    rows: usize,
    neurons: usize,
    one_based: bool,
    words: &mut [u64],
) -> Result<(), Error> {
    layout::check(words, rows, neurons)?;
    let starts_len = rows
        .checked_add(1)
        .ok_or(Error::Overflow { what: "starts" })?;
    Error::check_length("starts", starts.len(), &[starts_len])?;
    let bad_start = |found: u64| Error::OutOfRange {
        what: "an element of starts",
        found: i64::try_from(found).unwrap_or(i64::MAX),
        limit: indices.len() + 1,
    };
    if starts[0] != 0 {
        return Err(bad_start(starts[0]));
    }
    if let Some(pair) = starts.windows(2).find(|pair| pair[0] > pair[1]) {
        return Err(bad_start(pair[0]));
    }
    Error::check_length("indices", indices.len(), &[starts[rows] as usize])?;
    let base = u32::from(one_based);
    let is_neuron = |&index: &u32| index >= base && ((index - base) as usize) < neurons;
    if let Some(&index) = indices.iter().find(|index| !is_neuron(index)) {
        return Err(Error::OutOfRange {
            what: if one_based {
                "an index, less one,"
            } else {
                "an index"
            },
            found: i64::from(index) - i64::from(base),
            limit: neurons,
        });
    }

    clear(words);
    let row_len = layout::words(neurons);
    for (row, ends) in starts.windows(2).enumerate() {
        progress((ends[1] - ends[0]) as usize * STEPS);
        for &index in &indices[ends[0] as usize..ends[1] as usize] {
            let neuron = (index - base) as usize;
            words[row * row_len + neuron / WORD_BITS] |= 1 << (neuron % WORD_BITS);
        }
    }
    Ok(())
}
