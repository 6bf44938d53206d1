//! What ops work in.

use crate::conv::Taps;
use crate::simd::Simd;
use crate::spikes::indices::{self, SLACK};
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use alloc::vec;
use alloc::vec::Vec;

/// What a convolution works in, for one sample at a time.
#[derive(Clone, Debug)]
pub(super) enum Scratch {
    Spikes {
        taps: Taps,
        pixels: Vec<f32>,
        line: Vec<f32>,
    },
    Numbers {
        patches: Vec<f32>,
        sums: Vec<f32>,
        active: Active,
    },
    /// In integers.
    Integers {
        /// Of spikes; else patches are copied.
        taps: Option<Taps>,
        patches: Vec<i32>,
        /// Integers side by side, and which of them are not 0.
        joined: Vec<i32>,
        active: Vec<u32>,
        sums: Vec<i32>,
    },
}

/// The active inputs of a product, sample by sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Active {
    /// Where the list of each sample starts, and where the last one ends.
    pub(super) starts: Vec<usize>,
    pub(super) inputs: Vec<u32>,
    /// Which inputs are not 0, as words.
    pub(super) nonzero: Vec<u64>,
}

impl Scratch {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Spikes { taps, pixels, line } => {
                taps.bytes() + size_of::<f32>() * (pixels.len() + line.len())
            }
            Self::Numbers {
                patches,
                sums,
                active,
            } => size_of::<f32>() * (patches.len() + sums.len()) + active.bytes(),
            Self::Integers {
                taps,
                patches,
                joined,
                active,
                sums,
            } => {
                let numbers = patches.len() + joined.len() + active.len() + sums.len();
                let taps = taps.as_ref().map_or(0, Taps::bytes);
                size_of::<i32>() * numbers + taps
            }
        }
    }
}

impl Active {
    /// Memory for so many rows of so many inputs.
    pub(super) fn new(rows: usize, inputs: usize) -> Self {
        let row_words = words(inputs);
        Self {
            starts: vec![0; rows + 1],
            inputs: vec![0; rows * row_words * WORD_BITS + SLACK],
            nonzero: vec![0; rows * row_words],
        }
    }

    fn bytes(&self) -> usize {
        size_of::<u32>() * self.inputs.len() + 8 * (self.starts.len() + self.nonzero.len())
    }

    /// Lists what is set in rows of so many neurons.
    #[inline(always)]
    pub(super) fn list(&mut self, spikes: &[u64], neurons: usize) {
        let rows = spikes.chunks_exact(words(neurons));
        for (row, spikes) in rows.enumerate() {
            self.starts[row + 1] = indices::append(spikes, &mut self.inputs, self.starts[row]);
        }
    }

    /// Lists what is not 0 in padded rows of so many numbers.
    #[inline(always)]
    pub(super) fn list_nonzero<S: Simd>(&mut self, simd: S, numbers: &[f32], neurons: usize) {
        let row_words = words(neurons);
        let rows = self.nonzero.chunks_exact_mut(row_words);
        for (row, (nonzero, numbers)) in rows.zip(numbers.chunks_exact(padded(neurons))).enumerate()
        {
            for (word, numbers) in nonzero.iter_mut().zip(numbers.chunks_exact(WORD_BITS)) {
                *word = 0;
                for (v, numbers) in numbers.chunks_exact(S::LANES).enumerate() {
                    let bits = simd.to_bits(simd.nonzero(simd.load(numbers)));
                    *word |= bits << (v * S::LANES);
                }
            }
            nonzero[row_words - 1] &= tail_mask(neurons);
            self.starts[row + 1] = indices::append(nonzero, &mut self.inputs, self.starts[row]);
        }
    }
}
