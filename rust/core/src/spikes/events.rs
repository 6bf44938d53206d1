//! Spikes as the address events of sensors: who fired when.

use super::count;
use super::indices::{SLACK, STEPS, append};
use super::layout::{self, WORD_BITS, clear};
use crate::Error;
use crate::parallel::{pieces, progress};
use crate::simd::{Isa, compiled_for};
use alloc::vec;

/// Rows between two places where a call can be interrupted.
const ROWS: usize = 64;

/// The spikes of a `[T, B, N]` sequence from their steps `t`, samples `b` and neurons `n`, in any
/// order; an event given twice is one spike.
///
/// # Errors
/// [`Error::Length`] if `t`, `b` and `n` differ in length or `words` is not `T·B` rows of `N`;
/// [`Error::OutOfRange`] if an event lies outside the shape. Nothing is written then.
///
/// ```
/// use bitspike::spikes::from_events;
/// let mut words = [0; 4];
/// from_events(&[1, 0, 1], &[0, 1, 0], &[2, 0, 2], [2, 2, 3], &mut words)?;
/// assert_eq!(words, [0, 0b001, 0b100, 0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn from_events(
    t: &[i64],
    b: &[i64],
    n: &[i64],
    shape: [usize; 3],
    words: &mut [u64],
) -> Result<(), Error> {
    let [steps, samples, neurons] = shape;
    check_words(words, shape)?;
    Error::check_length("b", b.len(), &[t.len()])?;
    Error::check_length("n", n.len(), &[t.len()])?;
    check_range("t of an event", t, steps)?;
    check_range("b of an event", b, samples)?;
    check_range("n of an event", n, neurons)?;

    clear(words);
    let row_len = layout::words(neurons);
    for piece in pieces(t.len(), STEPS) {
        for i in piece {
            let row = t[i] as usize * samples + b[i] as usize;
            words[row * row_len + n[i] as usize / WORD_BITS] |= 1 << (n[i] as usize % WORD_BITS);
        }
    }
    Ok(())
}

/// Writes the step, sample and neuron of every spike of a `[T, B, N]` sequence, ordered by
/// `(t, b, n)`.
///
/// # Errors
/// [`Error::Length`] if `words` is not `T·B` rows of `N`, or `t`, `b` or `n` not as long as
/// [`count`](fn@count) says; [`Error::Overflow`] if neurons do not fit `u32`.
///
/// ```
/// use bitspike::{simd::Isa, spikes::to_events};
/// let (mut t, mut b, mut n) = ([0; 2], [0; 2], [0; 2]);
/// to_events(Isa::active()?, &[0, 0b001, 0b100, 0], [2, 2, 3], &mut t, &mut b, &mut n)?;
/// assert_eq!((t, b, n), ([0, 1], [1, 0], [0, 2]));
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn to_events(
    isa: Isa,
    words: &[u64],
    shape: [usize; 3],
    t: &mut [i64],
    b: &mut [i64],
    n: &mut [i64],
) -> Result<(), Error> {
    let [_, samples, neurons] = shape;
    check_words(words, shape)?;
    layout::check_indexable(neurons)?;
    let events = count(isa, words) as usize;
    Error::check_length("t", t.len(), &[events])?;
    Error::check_length("b", b.len(), &[events])?;
    Error::check_length("n", n.len(), &[events])?;

    let row_len = layout::words(neurons).max(1);
    let mut buffer = vec![0; row_len * WORD_BITS + SLACK];
    compiled_for(
        isa,
        #[inline(always)]
        || {
            let mut event = 0;
            for (row, words) in words.chunks_exact(row_len).enumerate() {
                let found = append(words, &mut buffer, 0);
                let own = event..event + found;
                t[own.clone()].fill((row / samples) as i64);
                b[own.clone()].fill((row % samples) as i64);
                for (n, &neuron) in n[own].iter_mut().zip(&buffer) {
                    *n = i64::from(neuron);
                }
                event += found;
                if row % ROWS == ROWS - 1 {
                    progress(ROWS * row_len * STEPS);
                }
            }
        },
    );
    Ok(())
}

fn check_words(words: &[u64], [steps, samples, neurons]: [usize; 3]) -> Result<(), Error> {
    layout::check(
        words,
        Error::checked_product("spikes", &[steps, samples])?,
        neurons,
    )
}

fn check_range(what: &'static str, coordinates: &[i64], limit: usize) -> Result<(), Error> {
    let inside = |&&found: &&i64| usize::try_from(found).is_ok_and(|found| found < limit);
    for piece in pieces(coordinates.len(), 1) {
        if let Some(&found) = coordinates[piece].iter().find(|found| !inside(found)) {
            return Err(Error::OutOfRange { what, found, limit });
        }
    }
    Ok(())
}
