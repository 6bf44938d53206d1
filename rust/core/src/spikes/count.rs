//! How many spikes there are.

use super::counters::{Counted, count_along};
use super::layout::{self, rows_per_block};
use super::transpose::Line;
use crate::Error;
use crate::parallel;
use crate::simd::{Isa, compiled_for};
use alloc::vec;

/// Words that one thread counts at a time.
const BLOCK: usize = 16 * 1024;
/// So many words are counted in the time of an elementary step of [`parallel::GRAIN`].
const PER_STEP: usize = 4;

/// How many bits are set.
///
/// ```
/// use bitspike::{simd::Isa, spikes::count};
/// assert_eq!(count(Isa::active()?, &[0b1011, 0, 1]), 4);
/// # Ok::<(), bitspike::Error>(())
/// ```
#[must_use]
pub fn count(isa: Isa, words: &[u64]) -> u64 {
    let blocks = words.chunks(BLOCK);
    let mut counts = vec![0; blocks.len()];
    let items = blocks.zip(&mut counts).collect();
    parallel::for_each(
        items,
        words.len() / PER_STEP,
        |(words, count): (&[u64], &mut u64)| {
            *count = compiled_for(
                isa,
                #[inline(always)]
                || count_words(words),
            );
        },
    );
    counts.iter().sum()
}

/// The share of bits that are set among `elements`, which the words hold; 0 if there are none.
#[must_use]
pub fn density(isa: Isa, words: &[u64], elements: usize) -> f64 {
    count(isa, words) as f64 / elements.max(1) as f64
}

#[inline(always)]
fn count_words(words: &[u64]) -> u64 {
    words.iter().map(|word| u64::from(word.count_ones())).sum()
}

/// How many neurons fire in each of `rows` rows of `neurons`.
///
/// # Errors
/// [`Error::Length`] if `words` is not `rows` rows of `neurons`, or `counts` not of length `rows`.
pub fn count_rows(
    isa: Isa,
    words: &[u64],
    rows: usize,
    neurons: usize,
    counts: &mut [u64],
) -> Result<(), Error> {
    layout::check(words, rows, neurons)?;
    Error::check_length("counts", counts.len(), &[rows])?;
    if words.is_empty() {
        counts.fill(0);
        return Ok(());
    }
    let row_len = layout::words(neurons);
    let block = rows_per_block(row_len);
    let items = words
        .chunks(block * row_len)
        .zip(counts.chunks_mut(block))
        .collect();
    parallel::for_each(items, words.len() / PER_STEP, |(words, counts)| {
        compiled_for(
            isa,
            #[inline(always)]
            || {
                for (row, count) in words.chunks_exact(row_len).zip(counts) {
                    *count = count_words(row);
                }
            },
        );
    });
    Ok(())
}

/// How often each neuron fires along one axis: `words` is `[outer, axis, inner]` rows of
/// `neurons`, `counts` is `[outer, inner, neurons]`.
///
/// For a sequence `[T, B, N]`, `outer = 1, axis = T, inner = B` counts over time. Counts are exact
/// up to 2²⁴, beyond which a float has no room.
///
/// # Errors
/// [`Error::Length`] if `words` or `counts` does not have that shape; [`Error::Overflow`] if the
/// sizes multiply to more than fits in memory.
///
/// ```
/// use bitspike::{simd::Isa, spikes::count_axis};
/// // Three steps of one sample of four neurons.
/// let mut counts = [0.0; 4];
/// count_axis(Isa::active()?, &[0b0001, 0b0011, 0b1001], 1, 3, 1, 4, &mut counts)?;
/// assert_eq!(counts, [3.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn count_axis(
    isa: Isa,
    words: &[u64],
    outer: usize,
    axis: usize,
    inner: usize,
    neurons: usize,
    counts: &mut [f32],
) -> Result<(), Error> {
    let rows = Error::checked_product("spikes", &[outer, axis, inner])?;
    layout::check(words, rows, neurons)?;
    Error::check_length("counts", counts.len(), &[outer, inner, neurons])?;
    if words.is_empty() {
        counts.fill(0.0);
        return Ok(());
    }
    count_along(isa, words, [axis, inner], neurons, &All, counts);
    Ok(())
}

/// Every spike counts.
#[derive(Clone)]
struct All;

impl Counted for All {
    #[inline(always)]
    fn restart(&mut self) {}

    #[inline(always)]
    fn of(&mut self, firing: Line) -> Line {
        firing
    }
}
