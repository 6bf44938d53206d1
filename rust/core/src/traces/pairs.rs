//! Pairs of spikes and traces, step by step.

use super::Real;
use crate::Error;
use crate::spikes::layout::{self, WORD_BITS};
use core::ops::Range;

/// The neurons on one side of synapses.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a, T> {
    /// How many they are.
    pub neurons: usize,
    /// Their spikes, `[T, B, N]`.
    pub spikes: &'a [u64],
    /// What spikes of the other side meet, `[T, B, N]`.
    pub trace: &'a [T],
    /// How much a spike counts, `[T, B, N]`; 1 without it.
    pub gain: Option<&'a [T]>,
}

/// Both sides of synapses, over time.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a, T> {
    /// `T`
    pub steps: usize,
    /// `B`
    pub samples: usize,
    /// The inputs.
    pub pre: Side<'a, T>,
    /// The outputs.
    pub post: Side<'a, T>,
}

impl<T: Real> Side<'_, T> {
    fn check(&self, [trace, gain]: [&'static str; 2], rows: usize) -> Result<(), Error> {
        layout::check_padded(self.spikes, rows, self.neurons)?;
        Error::check_length(trace, self.trace.len(), &[rows, self.neurons])?;
        match self.gain {
            Some(values) => Error::check_length(gain, values.len(), &[rows, self.neurons]),
            None => Ok(()),
        }
    }

    /// Whether a neuron fires, in a row of `[T, B]`.
    #[inline(always)]
    pub(super) fn fires(&self, row: usize, neuron: usize) -> bool {
        let word = self.spikes[row * layout::words(self.neurons) + neuron / WORD_BITS];
        word >> (neuron % WORD_BITS) & 1 == 1
    }

    /// Those of some neurons of one word that fire, as the lowest bits of a word.
    #[inline(always)]
    pub(super) fn firing(&self, row: usize, neurons: &Range<usize>) -> u64 {
        let word = self.spikes[row * layout::words(self.neurons) + neurons.start / WORD_BITS];
        word >> (neurons.start % WORD_BITS) & ((1 << neurons.len()) - 1)
    }

    /// The traces of a row.
    #[inline(always)]
    pub(super) fn traces(&self, row: usize) -> &[T] {
        &self.trace[row * self.neurons..(row + 1) * self.neurons]
    }

    /// The gains of a row.
    #[inline(always)]
    pub(super) fn gains(&self, row: usize) -> Option<&[T]> {
        self.gain
            .map(|gain| &gain[row * self.neurons..(row + 1) * self.neurons])
    }
}

impl<T: Real> Pairs<'_, T> {
    pub(super) fn check(&self, weights: usize) -> Result<(), Error> {
        let rows = Error::checked_product("spikes", &[self.steps, self.samples])?;
        self.pre
            .check(["traces of inputs", "gains of inputs"], rows)?;
        self.post
            .check(["traces of outputs", "gains of outputs"], rows)?;
        let sizes = [self.post.neurons, self.pre.neurons];
        Error::check_length("weights", weights, &sizes)
    }
}
