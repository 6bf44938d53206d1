//! The membrane's recomputed history: what backward needs of forward, for one tile.
//!
//! Long sequences are recomputed in chunks, from the states saved at the start of each.

use crate::neuron::{Neuron, Vectors, membrane};
use crate::parallel::Scratch;
use crate::sequence::checkpoint::Chunks;
use crate::simd::{Simd, TILE, array};
use std::marker::PhantomData;

/// Steps that are recomputed at a time: with the widest tile their states fill half a megabyte.
const CHUNK: usize = 1024;

/// A buffer of rows of one tile's width.
///
/// First the states at the start of each chunk, then per step of the present chunk the states that
/// enter it and, under an immediate reset, the membrane that was compared with the threshold.
/// Under a delayed reset the states that are compared are those that enter the next step.
#[derive(Debug)]
pub(super) struct History<'a, S, N, const IMMEDIATE: bool> {
    rows: &'a mut [f32],
    chunks: Chunks,
    /// Rows of the states at the start of all chunks.
    checkpoints: usize,
    lanes: PhantomData<(S, N)>,
}

impl<'a, S: Simd, N: Neuron, const IMMEDIATE: bool> History<'a, S, N, IMMEDIATE> {
    const WIDTH: usize = TILE * S::LANES;
    const PER_STEP: usize = N::STATES.len() + IMMEDIATE as usize;

    /// The history of a sequence of so many steps.
    pub(super) fn new(scratch: &'a mut Scratch, steps: usize) -> Self {
        let chunks = Chunks::new(steps, CHUNK);
        let checkpoints = chunks.count() * N::STATES.len();
        let rows = checkpoints + (chunks.size() + 1) * Self::PER_STEP;
        let [rows] = scratch.slices([rows * Self::WIDTH]);
        Self {
            rows,
            chunks,
            checkpoints,
            lanes: PhantomData,
        }
    }

    /// How the sequence is cut.
    pub(super) fn chunks(&self) -> Chunks {
        self.chunks
    }

    #[inline(always)]
    fn row(&mut self, row: usize) -> &mut [f32] {
        &mut self.rows[row * Self::WIDTH..][..Self::WIDTH]
    }

    /// The row of the first state that enters step `i` of the present chunk.
    #[inline(always)]
    fn entry(&self, i: usize) -> usize {
        self.checkpoints + i * Self::PER_STEP
    }

    #[inline(always)]
    fn put(&mut self, simd: S, first_row: usize, state: &[N::State<S>; TILE]) {
        for k in 0..N::STATES.len() {
            let row = self.row(first_row + k);
            for (i, state) in state.iter().enumerate() {
                simd.store(&mut row[i * S::LANES..], state.as_ref()[k]);
            }
        }
    }

    #[inline(always)]
    fn get(&mut self, simd: S, first_row: usize) -> [N::State<S>; TILE] {
        array(
            #[inline(always)]
            |i| {
                N::State::<S>::from_fn(
                    #[inline(always)]
                    |k| simd.load(&self.row(first_row + k)[i * S::LANES..]),
                )
            },
        )
    }

    /// Saves the states at the start of a chunk.
    #[inline(always)]
    pub(super) fn save(&mut self, simd: S, chunk: usize, state: &[N::State<S>; TILE]) {
        self.put(simd, chunk * N::STATES.len(), state);
    }

    /// The states at the start of a chunk.
    #[inline(always)]
    pub(super) fn restore(&mut self, simd: S, chunk: usize) -> [N::State<S>; TILE] {
        self.get(simd, chunk * N::STATES.len())
    }

    /// Records the states that enter step `i` of the present chunk.
    #[inline(always)]
    pub(super) fn record_entering(&mut self, simd: S, i: usize, state: &[N::State<S>; TILE]) {
        self.put(simd, self.entry(i), state);
    }

    /// Records the membrane that step `i` compared with the threshold.
    #[inline(always)]
    pub(super) fn record_compared(&mut self, simd: S, i: usize, membrane: [S::F32; TILE]) {
        if IMMEDIATE {
            let row = self.row(self.entry(i) + N::STATES.len());
            for (i, &u) in membrane.iter().enumerate() {
                simd.store(&mut row[i * S::LANES..], u);
            }
        }
    }

    /// The states that entered step `i`, and those that it compared with the threshold.
    #[inline(always)]
    pub(super) fn read(&mut self, simd: S, i: usize) -> [[N::State<S>; TILE]; 2] {
        let mut compared = self.get(simd, self.entry(i + 1));
        if IMMEDIATE {
            let row = self.row(self.entry(i) + N::STATES.len());
            for (i, state) in compared.iter_mut().enumerate() {
                *membrane::<S, N>(state) = simd.load(&row[i * S::LANES..]);
            }
        }
        [self.get(simd, self.entry(i)), compared]
    }
}
