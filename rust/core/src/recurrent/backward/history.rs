//! What backward recomputes of forward, for one batch.

use crate::neuron::{Neuron, membrane};
use crate::recurrent::batch::Batch;
use crate::simd::Simd;

/// The recomputed history of a batch: states and recurrent current that entered the first step of
/// each chunk, the states that entered each step of the present chunk and the first one behind it, and
/// the membranes that its steps compared with the threshold, if they are others than those that enter
/// the next.
pub(super) struct History<'s> {
    pub(super) starts: &'s mut [f32],
    pub(super) entries: &'s mut [f32],
    pub(super) compared: &'s mut [f32],
}

impl<'s> History<'s> {
    /// A history of these parts, in `scratch`, which is grown if need be.
    pub(super) fn new(scratch: &'s mut Vec<f32>, [starts, entries, compared]: [usize; 3]) -> Self {
        let size = starts + entries + compared;
        if scratch.len() < size {
            scratch.resize(size, 0.0);
        }
        let (starts, rest) = scratch[..size].split_at_mut(starts);
        let (entries, compared) = rest.split_at_mut(entries);
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
