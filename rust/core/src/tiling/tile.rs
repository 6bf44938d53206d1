//! Which neurons a thread works on at a time, and how it writes what it owns.
//!
//! A thread takes a span, which is a few tiles of one sample: a job costs as much to hand over as
//! a step of a tile takes.

use super::Shape;
use crate::parallel;
use crate::simd::{Isa, Simd, TILE};
use crate::spikes::layout::{WORD_BITS, words};
use alloc::vec::Vec;
use core::ops::Range;

/// Neighbouring neurons, `first..first + width`, of one sample: at most [`TILE`] vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    pub(crate) sample: usize,
    pub(crate) first: usize,
    pub(crate) width: usize,
}

/// Neighbouring neurons, `first..first + width`, of one sample: the tiles that one thread takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) sample: usize,
    pub(crate) first: usize,
    pub(crate) width: usize,
}

/// The spans of a layer, in memory order. Their width is a whole number of words, so that no two
/// share one.
pub(crate) fn spans(isa: Isa, shape: Shape) -> Vec<Span> {
    spans_of(TILE * isa.lanes(), shape)
}

/// As [`spans`], of tiles of so many neurons, a whole number of words.
pub(crate) fn spans_of(tile: usize, shape: Shape) -> Vec<Span> {
    let tiles = shape.samples * shape.neurons.div_ceil(tile);
    // Enough spans for threads that finish early to find another.
    let width = tile * tiles.div_ceil(16 * parallel::threads());
    let of_sample = |sample| {
        cut(0..shape.neurons, width).map(move |neurons| Span {
            sample,
            first: neurons.start,
            width: neurons.len(),
        })
    };
    (0..shape.samples).flat_map(of_sample).collect()
}

/// Cuts a range into consecutive pieces of `size`, the last one possibly shorter.
#[inline(always)]
pub(crate) fn cut(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(
        #[inline(always)]
        move |start| start..end.min(start + size),
    )
}

impl Span {
    /// Its tiles.
    #[inline(always)]
    pub(crate) fn tiles<S: Simd>(self) -> impl Iterator<Item = Tile> {
        self.tiles_of(TILE * S::LANES)
    }

    /// Its tiles of so many neurons.
    #[inline(always)]
    pub(crate) fn tiles_of(self, width: usize) -> impl Iterator<Item = Tile> {
        cut(self.first..self.first + self.width, width).map(
            #[inline(always)]
            move |neurons| Tile {
                sample: self.sample,
                first: neurons.start,
                width: neurons.len(),
            },
        )
    }

    /// Its columns in a row of one value per sample and neuron.
    pub(crate) fn columns(self, neurons: usize) -> Range<usize> {
        let start = self.sample * neurons + self.first;
        start..start + self.width
    }

    /// Its words in a row of bits per sample and neuron.
    pub(crate) fn words(self, neurons: usize) -> Range<usize> {
        let start = self.sample * words(neurons) + self.first / WORD_BITS;
        start..start + words(self.width)
    }
}

impl Tile {
    /// Its part of a row of the span that it belongs to.
    #[inline(always)]
    pub(crate) fn of<T>(self, span: Span, row: &mut [T]) -> &mut [T] {
        &mut row[self.first - span.first..][..self.width]
    }

    /// Its words of a row of the span that it belongs to.
    #[inline(always)]
    pub(crate) fn words_of(self, span: Span, row: &mut [u64]) -> &mut [u64] {
        &mut row[(self.first - span.first) / WORD_BITS..][..words(self.width)]
    }

    /// How many vectors its neurons take; a number that the compiler knows if the tile is full.
    #[inline(always)]
    pub(crate) fn vectors<S: Simd, const FULL: bool>(self) -> usize {
        if FULL {
            TILE
        } else {
            self.width.div_ceil(S::LANES).min(TILE)
        }
    }
}

/// As [`store`], but if `past_caches`, past them: what is that large nobody reads soon.
#[inline(always)]
pub(crate) fn write<S: Simd, const FULL: bool>(
    simd: S,
    past_caches: bool,
    row: &mut [f32],
    vectors: &[S::F32; TILE],
) {
    if !(FULL && past_caches) {
        return store::<S, FULL>(simd, row, vectors);
    }
    let row = &mut row[..TILE * S::LANES];
    for (i, &v) in vectors.iter().enumerate() {
        simd.stream(&mut row[i * S::LANES..], v);
    }
}

/// Writes vectors to a row that they fill (`FULL`) or overhang.
#[inline(always)]
pub(crate) fn store<S: Simd, const FULL: bool>(simd: S, row: &mut [f32], vectors: &[S::F32; TILE]) {
    if FULL {
        let row = &mut row[..TILE * S::LANES];
        for (i, &v) in vectors.iter().enumerate() {
            simd.store(&mut row[i * S::LANES..], v);
        }
    } else {
        for (part, &v) in row.chunks_mut(S::LANES).zip(vectors) {
            // Masked stores are slow on some CPUs.
            if part.len() == S::LANES {
                simd.store(part, v);
            } else {
                simd.store_partial(part, v);
            }
        }
    }
}
