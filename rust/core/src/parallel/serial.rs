//! Work on the only thread.

use alloc::vec::Vec;
use core::ops::Range;

/// How many threads large work uses: 1.
#[must_use]
pub fn threads() -> usize {
    1
}

/// Calls `f` once with each item.
pub fn for_each<I>(items: Vec<I>, _work: usize, f: impl Fn(I)) {
    items.into_iter().for_each(f);
}

/// Says that so many elementary steps are done, to nobody.
#[inline(always)]
pub(crate) fn progress(_steps: usize) {}

/// A loop of so many rounds in one piece.
#[inline(always)]
pub(crate) fn pieces(rounds: usize, _steps: usize) -> impl Iterator<Item = Range<usize>> {
    core::iter::once(0..rounds).filter(|piece| !piece.is_empty())
}
