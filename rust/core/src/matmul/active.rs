//! Lists of active inputs.

use super::plan::CHUNK;
use crate::parallel::{self, progress};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::{indices, layout};
use crate::tiling::cut;
use alloc::vec::Vec;
use core::ops::Range;

/// The active inputs of a chunk of rows: a list for each row and block of inputs, all rows of the
/// first block first. Inputs ascend, and count from the start of their block.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) rows: usize,
    /// Where each list starts, and where the last one ends.
    starts: Vec<usize>,
    inputs: Vec<u32>,
}

impl Active {
    /// The lists of all chunks of `rows` rows of spikes, for blocks of `block` inputs (whole words).
    pub(super) fn lists(
        isa: Isa,
        spikes: &[u64],
        rows: usize,
        inputs: usize,
        block: usize,
    ) -> Vec<Self> {
        let row_len = layout::words(inputs);
        let mut lists: Vec<_> = cut(0..rows, CHUNK)
            .map(|chunk| Self {
                rows: chunk.len(),
                starts: Vec::new(),
                inputs: Vec::new(),
            })
            .collect();
        let chunks =
            cut(0..rows, CHUNK).map(|chunk| &spikes[chunk.start * row_len..chunk.end * row_len]);
        let items = chunks
            .zip(&mut lists)
            .map(|(spikes, active)| Extract {
                spikes,
                row_len,
                block: block / layout::WORD_BITS,
                active,
            })
            .collect();
        parallel::for_each(items, spikes.len(), |item| dispatch(isa, item));
        lists
    }

    /// How many inputs among some blocks of `block` are active, over all rows.
    #[inline(always)]
    pub(super) fn additions(&self, inputs: Range<usize>, block: usize) -> usize {
        let lists = inputs.start / block * self.rows..inputs.end.div_ceil(block) * self.rows;
        self.starts[lists.end] - self.starts[lists.start]
    }

    /// The active inputs of a row among those of a block.
    #[inline(always)]
    pub(super) fn inputs(&self, block: usize, row: usize) -> &[u32] {
        let list = block * self.rows + row;
        &self.inputs[self.starts[list]..self.starts[list + 1]]
    }
}

/// Fills the lists of one chunk.
struct Extract<'a> {
    spikes: &'a [u64],
    /// Words of a row.
    row_len: usize,
    /// Words of a block.
    block: usize,
    active: &'a mut Active,
}

impl Kernel for Extract<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self {
            spikes,
            row_len,
            block,
            active,
        } = self;
        let count: usize = spikes
            .iter()
            .map(
                #[inline(always)]
                |word| word.count_ones() as usize,
            )
            .sum();
        active.inputs.resize(count + indices::SLACK, 0);
        active
            .starts
            .reserve(active.rows * row_len.div_ceil(block) + 1);
        active.starts.push(0);
        let mut end = 0;
        for block in cut(0..row_len, block) {
            for row in spikes.chunks_exact(row_len) {
                end = indices::append(&row[block.clone()], &mut active.inputs, end);
                active.starts.push(end);
            }
            progress(active.rows * block.len());
        }
    }
}
