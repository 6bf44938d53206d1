//! Weights of 8 bits laid out for sums.

use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::{WORD_BITS, padded};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes of a cache line.
const LINE: usize = 64;

/// How weights lie in tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// How many inputs share a row: the weights of an output for them lie side by side.
    pub(super) depth: usize,
    /// Outputs of a vector.
    pub(super) lanes: usize,
    /// Most vectors of a tile's row.
    pub(super) vectors: usize,
}

/// Weights cut into tiles of outputs, each of which lies row after row.
#[derive(Debug)]
pub(super) struct Tiles<T> {
    buffer: Vec<T>,
    /// Where the tiles lie in the buffer: from a cache line on.
    place: Range<usize>,
    /// Length of a tile.
    size: usize,
    /// Outputs of a tile.
    width: usize,
    /// Vectors of a tile's row.
    pub(super) vectors: usize,
}

impl<T: Copy + Default + From<i8>> Tiles<T> {
    /// A copy of weights `[outputs, inputs]`, with zeros where there are none.
    pub(super) fn new(layout: Layout, weight: &[i8], outputs: usize) -> Self {
        let (inputs, deep) = (weight.len() / outputs, layout.depth);
        let width = width(outputs, layout);
        let size = inputs.div_ceil(deep) * width * deep;
        let len = size * outputs.div_ceil(width);
        let mut buffer = vec![T::default(); len + LINE / size_of::<T>()];
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
            vectors: width / layout.lanes,
        }
    }

    /// The first output and the rows of each tile.
    #[inline(always)]
    pub(super) fn tiles(&self) -> impl Iterator<Item = (usize, &[T])> {
        let tiles = self.buffer[self.place.clone()].chunks_exact(self.size.max(1));
        (0..).step_by(self.width).zip(tiles)
    }
}

/// The outputs of a tile: so many that the tiles end where a padded row does, or before.
fn width(outputs: usize, layout: Layout) -> usize {
    let width = match padded(outputs) {
        WORD_BITS => outputs.next_power_of_two(),
        row => 1 << row.trailing_zeros(),
    };
    width.clamp(layout.lanes, layout.vectors * layout.lanes)
}

/// Most vectors of a tile's row: wide ones only where loops over vectors are worth a copy of their own.
fn most(isa: Isa) -> usize {
    struct Most;
    impl Kernel for Most {
        type Output = usize;
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> usize {
            if S::UNROLL { 8 } else { 2 }
        }
    }
    dispatch(isa, Most)
}

/// The layout of a product's weights on an instruction set.
impl Layout {
    /// For spikes: lanes of 16 bits.
    pub(super) fn of_spikes(isa: Isa) -> Self {
        Self {
            depth: 1,
            lanes: 2 * isa.lanes(),
            vectors: most(isa),
        }
    }

    /// For integers of 16 bits, in pairs. Only sums of signed integers need it, so it is kept simple.
    pub(super) fn of_pairs(isa: Isa) -> Self {
        Self {
            depth: 2,
            lanes: isa.lanes(),
            vectors: 1,
        }
    }

    /// For bytes, in quads.
    pub(super) fn of_quads(isa: Isa) -> Self {
        Self {
            depth: 4,
            lanes: isa.lanes(),
            vectors: most(isa),
        }
    }
}
