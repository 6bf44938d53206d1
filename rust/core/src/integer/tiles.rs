//! Weights of 8 bits laid out for sums, in 16 bits.

use crate::simd::Isa;
use crate::spikes::layout::{WORD_BITS, padded};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Most vectors of a tile's row.
const MOST: usize = 8;
/// Bytes of a cache line.
const LINE: usize = 64;

/// How many inputs share a row of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// For spikes.
    One = 1,
    /// For integers: the weights of an output for two inputs lie side by side.
    Two = 2,
}

/// Weights cut into tiles of outputs, each of which lies row after row.
#[derive(Debug)]
pub(crate) struct Tiles {
    buffer: Vec<i16>,
    /// Where the tiles lie in the buffer: from a cache line on.
    place: Range<usize>,
    /// Length of a tile.
    size: usize,
    /// Outputs of a tile.
    width: usize,
    depth: Depth,
}

impl Tiles {
    /// A copy of weights `[outputs, inputs]`, with zeros where there are none.
    pub(crate) fn new(isa: Isa, weight: &[i8], outputs: usize, depth: Depth) -> Self {
        let (inputs, deep) = (weight.len() / outputs, depth as usize);
        let width = width(outputs, 2 * isa.lanes() / deep);
        let size = inputs.div_ceil(deep) * width * deep;
        let len = size * outputs.div_ceil(width);
        let mut buffer = vec![0; len + LINE / size_of::<i16>()];
        let start = buffer.as_ptr().align_offset(LINE);
        let place = start..start + len;
        let numbers = &mut buffer[place.clone()];
        for (output, row) in weight.chunks_exact(inputs.max(1)).enumerate() {
            let tile = output / width * size + output % width * deep;
            for (input, &q) in row.iter().enumerate() {
                numbers[tile + input / deep * width * deep + input % deep] = q.into();
            }
        }
        Self {
            buffer,
            place,
            size,
            width,
            depth,
        }
    }

    /// The length of a tile's row.
    pub(super) fn row(&self) -> usize {
        self.width * self.depth as usize
    }

    /// The first output and the rows of each tile.
    #[inline(always)]
    pub(super) fn tiles(&self) -> impl Iterator<Item = (usize, &[i16])> {
        let tiles = self.buffer[self.place.clone()].chunks_exact(self.size.max(1));
        (0..).step_by(self.width).zip(tiles)
    }
}

/// Outputs of a tile, where a vector holds `unit` of them: at most [`MOST`] vectors, and so many that the
/// tiles end where a padded row does, or before.
fn width(outputs: usize, unit: usize) -> usize {
    let width = match padded(outputs) {
        WORD_BITS => outputs.next_power_of_two(),
        row => 1 << row.trailing_zeros(),
    };
    width.clamp(unit, MOST * unit)
}
