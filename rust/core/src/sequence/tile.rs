//! Which neurons a thread works on at a time, and how it writes what it owns.
//!
//! A thread takes a span, which is a few tiles of one sample: a job costs as much to hand over as
//! a step of a tile takes.

use super::{Shape, TILE};
use crate::parallel;
use crate::simd::{Columns, Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::words;
use std::ops::Range;

/// Neighbouring neurons, `first..first + width`, of one sample: a tile, or a span of tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    pub(crate) sample: usize,
    pub(crate) first: usize,
    pub(crate) width: usize,
}

struct Lanes;
impl Kernel for Lanes {
    type Output = usize;
    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::LANES
    }
}

/// The spans of a layer, in memory order. Their width is a whole number of words, so that no two
/// share one.
pub(super) fn spans(isa: Isa, shape: Shape) -> Vec<Tile> {
    let tile = TILE * dispatch(isa, Lanes);
    let tiles = shape.samples * shape.neurons.div_ceil(tile);
    // Enough spans for threads that finish early to find another.
    let span = tile * tiles.div_ceil(16 * parallel::threads());
    (0..shape.samples)
        .flat_map(|sample| {
            let whole = Tile {
                sample,
                first: 0,
                width: shape.neurons,
            };
            whole.pieces(span)
        })
        .collect()
}

impl Tile {
    /// Consecutive pieces of `width` neurons, the last one possibly narrower.
    #[inline(always)]
    pub(super) fn pieces(self, width: usize) -> impl Iterator<Item = Self> {
        (0..self.width).step_by(width).map(
            #[inline(always)]
            move |at| Self {
                first: self.first + at,
                width: width.min(self.width - at),
                ..self
            },
        )
    }

    /// The tiles of a span.
    #[inline(always)]
    pub(super) fn tiles<S: Simd>(self) -> impl Iterator<Item = Self> {
        self.pieces(TILE * S::LANES)
    }

    /// This tile's part of a row of the span that it belongs to.
    #[inline(always)]
    pub(super) fn of<T>(self, span: Self, row: &mut [T]) -> &mut [T] {
        &mut row[self.first - span.first..][..self.width]
    }

    /// This tile's words of a row of the span that it belongs to.
    #[inline(always)]
    pub(super) fn words_of(self, span: Self, row: &mut [u64]) -> &mut [u64] {
        &mut row[(self.first - span.first) / 64..][..words(self.width)]
    }

    /// How many vectors its neurons take; a number that the compiler knows if the tile is full.
    #[inline(always)]
    pub(super) fn vectors<S: Simd, const FULL: bool>(self) -> usize {
        if FULL {
            TILE
        } else {
            self.width.div_ceil(S::LANES).min(TILE)
        }
    }

    /// Its columns in a row of one value per sample and neuron.
    pub(super) fn columns(self, neurons: usize) -> Range<usize> {
        let start = self.sample * neurons + self.first;
        start..start + self.width
    }

    /// Its words in a row of bits per sample and neuron.
    pub(super) fn words(self, neurons: usize) -> Range<usize> {
        let start = self.sample * words(neurons) + self.first / 64;
        start..start + words(self.width)
    }
}

/// One band of an optional output matrix per span; `None`s without an output.
pub(crate) fn bands<'a, T, P: Clone>(
    matrix: Option<&'a mut [T]>,
    row_len: usize,
    spans: &[P],
    columns: impl Fn(P) -> Range<usize>,
) -> std::vec::IntoIter<Option<Columns<'a, T>>> {
    let bands: Vec<_> = match matrix {
        Some(matrix) => {
            let ranges = spans.iter().cloned().map(columns);
            Columns::split(matrix, row_len, ranges)
                .into_iter()
                .map(Some)
                .collect()
        }
        None => spans.iter().map(|_| None).collect(),
    };
    bands.into_iter()
}

/// As [`store`], but if `past_caches`, past them: what is that large nobody reads soon.
#[inline(always)]
pub(super) fn write<S: Simd, const FULL: bool>(
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
pub(super) fn store<S: Simd, const FULL: bool>(simd: S, row: &mut [f32], vectors: &[S::F32; TILE]) {
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
