//! Which neurons a thread works on at a time, and how it writes what it owns.

use super::{Shape, TILE};
use crate::simd::{Columns, Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::words;
use std::ops::Range;

/// The neurons `first..first + width` of one sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub(super) sample: usize,
    pub(super) first: usize,
    pub(super) width: usize,
}

struct Lanes;
impl Kernel for Lanes {
    type Output = usize;
    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::LANES
    }
}

/// The tiles of a layer, in memory order. Their width is a whole number of words, so that no two
/// tiles share one.
pub(super) fn tiles(isa: Isa, shape: Shape) -> Vec<Tile> {
    let full = TILE * dispatch(isa, Lanes);
    (0..shape.samples)
        .flat_map(|sample| {
            (0..shape.neurons)
                .step_by(full)
                .map(move |first| (sample, first))
        })
        .map(|(sample, first)| Tile {
            sample,
            first,
            width: full.min(shape.neurons - first),
        })
        .collect()
}

impl Tile {
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

/// One band of an optional output matrix per tile; `None`s without an output.
pub(super) fn bands<'a, T>(
    matrix: Option<&'a mut [T]>,
    row_len: usize,
    tiles: &[Tile],
    columns: impl Fn(Tile) -> Range<usize>,
) -> std::vec::IntoIter<Option<Columns<'a, T>>> {
    let bands: Vec<_> = match matrix {
        Some(matrix) => {
            let ranges = tiles.iter().map(|&tile| columns(tile));
            Columns::split(matrix, row_len, ranges)
                .into_iter()
                .map(Some)
                .collect()
        }
        None => tiles.iter().map(|_| None).collect(),
    };
    bands.into_iter()
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
