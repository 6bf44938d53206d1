//! What backward recomputes of forward, for one batch.

use crate::neuron::{Neuron, membrane};
use crate::parallel::Scratch;
use crate::recurrent::batch::Batch;
use crate::simd::Simd;

/// The recomputed history of a batch, in planes.
pub(super) struct History<'s> {
    /// For each chunk, the states and the recurrent current that entered its first step.
    pub(super) starts: &'s mut [f32],
    /// For each step of the present chunk, the states that entered it; last, those that it left.
    pub(super) entries: &'s mut [f32],
    /// For each step of the present chunk, the membranes that it compared with the threshold. Under a
    /// delayed reset they are those that enter the next step, and this is empty.
    pub(super) compared: &'s mut [f32],
}

impl<'s> History<'s> {
    /// A history with parts of these lengths.
    pub(super) fn new(scratch: &'s mut Scratch, lengths: [usize; 3]) -> Self {
        let [starts, entries, compared] = scratch.slices(lengths);
        Self {
            starts,
            entries,
            compared,
        }
    }

    /// The states that a vector compared with the threshold at the `i`-th step of the chunk.
    #[inline(always)]
    pub(super) fn compared<S: Simd, N: Neuron, const IMMEDIATE: bool>(
        &self,
        simd: S,
        batch: &Batch<'_>,
        i: usize,
        row: usize,
        first: usize,
    ) -> N::State<S> {
        let left = &self.entries[(i + 1) * batch.state::<N>()..];
        let mut state = batch.states::<S, N>(simd, left, row, first);
        if IMMEDIATE {
            let at = i * batch.plane() + batch.at(0, row, first);
            *membrane::<S, N>(&mut state) = simd.load(&self.compared[at..]);
        }
        state
    }
}
