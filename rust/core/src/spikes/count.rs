//! How many spikes there are.

use super::compiled_for;
use super::layout::{self, WORD_BITS, rows_per_block};
use crate::Error;
use crate::parallel;
use crate::simd::Isa;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words that one thread counts at a time.
const BLOCK: usize = 16 * 1024;
/// So many words are counted in the time of an elementary step of [`parallel::GRAIN`].
const PER_STEP: usize = 4;
/// Words that are counted vertically together: a cache line.
const LINE: usize = 8;
/// Counting a word vertically takes that many of the elementary steps of [`parallel::GRAIN`].
const STEPS: usize = 8;

/// How many bits are set.
///
/// ```
/// use bitspike::{simd::Isa, spikes::count};
/// assert_eq!(count(Isa::active()?, &[0b1011, 0, 1]), 4);
/// # Ok::<(), bitspike::Error>(())
/// ```
#[must_use]
pub fn count(isa: Isa, words: &[u64]) -> u64 {
    let total = AtomicU64::new(0);
    parallel::for_each(
        words.chunks(BLOCK).collect(),
        words.len() / PER_STEP,
        |words| {
            let ones = compiled_for(
                isa,
                #[inline(always)]
                || count_words(words),
            );
            total.fetch_add(ones, Ordering::Relaxed);
        },
    );
    total.into_inner()
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
    let row_len = layout::words(neurons);
    let stride = inner * row_len;
    let mut items = Vec::new();
    for (row, counts) in counts.chunks_mut(neurons).enumerate() {
        let first = (row / inner * axis * inner + row % inner) * row_len;
        for (line, counts) in counts.chunks_mut(LINE * WORD_BITS).enumerate() {
            items.push((&words[first + line * LINE..], counts));
        }
    }
    parallel::for_each(items, words.len() * STEPS, |(words, counts)| {
        compiled_for(
            isa,
            #[inline(always)]
            || count_column(words, axis, stride, counts),
        );
    });
    Ok(())
}

/// Vertical counters: bit `i` of the counts of a line's neurons, one bit per neuron.
type Planes = [[u64; LINE]; 8];

/// Counts over the words at `0, stride, 2·stride, …`, `axis` of them.
#[inline(always)]
fn count_column(words: &[u64], axis: usize, stride: usize, counts: &mut [f32]) {
    /// The most that the counters hold.
    const FULL: usize = (1 << 8) - 1;
    let width = layout::words(counts.len());
    counts.fill(0.0);
    for first in (0..axis).step_by(FULL) {
        let steps = FULL.min(axis - first);
        let mut planes: Planes = [[0; LINE]; 8];
        for step in first..first + steps {
            let words = &words[step * stride..];
            match words.first_chunk::<LINE>() {
                Some(words) if width == LINE => add(&mut planes, words),
                _ => {
                    let mut line = [0; LINE];
                    line[..width].copy_from_slice(&words[..width]);
                    add(&mut planes, &line);
                }
            }
        }
        let used = (usize::BITS - steps.leading_zeros()) as usize;
        for (w, counts) in counts.chunks_mut(WORD_BITS).enumerate() {
            for (n, count) in counts.iter_mut().enumerate() {
                let mut sum = 0;
                for (p, plane) in planes[..used].iter().enumerate() {
                    sum |= ((plane[w] >> n & 1) as u32) << p;
                }
                *count += sum as f32;
            }
        }
    }
}

/// Adds one bit to each counter.
#[inline(always)]
fn add(planes: &mut Planes, words: &[u64; LINE]) {
    let mut carry = *words;
    for plane in planes {
        for (bit, carry) in plane.iter_mut().zip(&mut carry) {
            (*bit, *carry) = (*bit ^ *carry, *bit & *carry);
        }
    }
}
