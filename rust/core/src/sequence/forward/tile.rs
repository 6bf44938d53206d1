//! A span of neurons, forward through time, tile by tile.

use crate::neuron::{Current, FiringLanes, Neuron, step};
use crate::parallel::progress;
use crate::sequence::Layer;
use crate::sequence::start::{SHARED, initial, nth, shared_lanes};
use crate::simd::{Columns, Isa, Kernel, Simd, TILE, dispatch};
use crate::tiling::{Row, Span, Tile, store, write};
use std::marker::PhantomData;
use std::ops::Range;

/// How many steps a span of so many neurons takes between two places where the call can be
/// interrupted. These lie outside the loops, whose states would not stay in registers around them.
fn steps_at_a_time(neurons: usize) -> usize {
    ((1 << 20) / neurons).clamp(256, 8192)
}

/// A span of neurons through all steps.
pub(super) struct Job<'a, 'b, N> {
    pub(super) layer: &'a Layer<'a>,
    pub(super) span: Span,
    pub(super) packed: Option<Columns<'b, u64>>,
    pub(super) dense: Option<Columns<'b, f32>>,
    pub(super) states: Vec<Option<Columns<'b, f32>>>,
    pub(super) last: Vec<Option<Columns<'b, f32>>>,
    /// The states of the span where it was left, row by row.
    pub(super) carried: Vec<f32>,
    pub(super) neuron: PhantomData<N>,
}

impl<N: Neuron> Job<'_, '_, N> {
    /// Runs the span on the calling thread.
    pub(super) fn run(mut self, isa: Isa) {
        let (total, width) = (self.layer.shape.steps, self.span.width);
        let size = steps_at_a_time(width);
        if total > size {
            self.carried = vec![0.0; N::STATES.len() * width];
        }
        let mut steps = 0..total.min(size);
        loop {
            dispatch(isa, Part(&mut self, steps.clone()));
            if steps.end == total {
                break;
            }
            progress(steps.len() * width);
            steps = steps.end..total.min(steps.end + size);
        }
    }

    /// A tile's part of a row of the carried states.
    #[inline(always)]
    fn carried(&mut self, tile: Tile, k: usize) -> &mut [f32] {
        tile.of(self.span, &mut self.carried[k * self.span.width..])
    }
}

/// The tiles of a span, one after another, through some steps.
struct Part<'j, J>(&'j mut J, Range<usize>);

impl<N: Neuron> Kernel for Part<'_, Job<'_, '_, N>> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self(job, range) = self;
        for tile in job.span.tiles::<S>() {
            // What a neuron does without is not compiled.
            let full = S::UNROLL && N::UNROLL && tile.width == TILE * S::LANES;
            let (immediate, range) = (N::IMMEDIATE && job.layer.reset.immediate, range.clone());
            match (full, immediate) {
                (true, false) if N::PLAIN && job.layer.is_plain() => {
                    job.steps::<S, true, false, SHARED>(simd, tile, range)
                }
                (true, false) => job.steps::<S, true, false, TILE>(simd, tile, range),
                (true, true) => job.steps::<S, true, true, TILE>(simd, tile, range),
                (false, false) => job.steps::<S, false, false, TILE>(simd, tile, range),
                (false, true) => job.steps::<S, false, true, TILE>(simd, tile, range),
            }
        }
        simd.drain();
    }
}

impl<N: Neuron> Job<'_, '_, N> {
    #[inline(always)]
    fn steps<S: Simd, const FULL: bool, const IMMEDIATE: bool, const OWN: usize>(
        &mut self,
        simd: S,
        tile: Tile,
        steps: Range<usize>,
    ) {
        let vectors = tile.vectors::<S, FULL>();
        let (layer, span) = (self.layer, self.span);
        let lanes: [FiringLanes<S, N>; OWN] = shared_lanes::<S, N, FULL, OWN>(simd, layer, tile);
        let graded = layer.graded_factor.load_once::<S, FULL, TILE>(simd, tile);
        let mut state = initial::<S, N, FULL>(simd, layer, tile);
        if steps.start > 0 {
            for k in 0..N::STATES.len() {
                let row = Row::Each(self.carried(tile, k)).load_once::<S, FULL, TILE>(simd);
                for (state, value) in state.iter_mut().zip(row) {
                    state.as_mut()[k] = value;
                }
            }
        }
        let past_caches = layer.shape.is_past_caches();
        let end = steps.end;

        for t in steps {
            let current = layer.current.load::<S, FULL, TILE>(simd, t, tile);
            let mut fired = [simd.gt(simd.splat(0.0), simd.splat(0.0)); TILE];
            for i in 0..vectors {
                let current = Current::external(current[i]);
                let result = step::<S, N>(simd, &lanes[i % OWN], state[i], current, IMMEDIATE);
                (state[i], fired[i]) = (result.state, result.fired);
            }
            if let Some(packed) = &mut self.packed {
                let words = tile.words_of(span, packed.row(t));
                write_words::<S, FULL>(simd, words, tile.width, fired);
            }
            if let Some(dense) = &mut self.dense {
                let mut spikes = graded;
                for (spike, fired) in spikes.iter_mut().zip(fired) {
                    *spike = simd.select(fired, *spike, simd.mul(simd.splat(0.0), *spike));
                }
                write::<S, FULL>(simd, past_caches, tile.of(span, dense.row(t)), &spikes);
            }
            for (k, sequence) in self.states.iter_mut().enumerate() {
                if let Some(sequence) = sequence {
                    let row = tile.of(span, sequence.row(t));
                    write::<S, FULL>(simd, past_caches, row, &nth::<S, N>(&state, k));
                }
            }
        }
        if end < layer.shape.steps {
            for k in 0..N::STATES.len() {
                store::<S, FULL>(simd, self.carried(tile, k), &nth::<S, N>(&state, k));
            }
            return;
        }
        for (k, last) in self.last.iter_mut().enumerate() {
            if let Some(last) = last {
                let row = tile.of(span, last.row(0));
                store::<S, FULL>(simd, row, &nth::<S, N>(&state, k));
            }
        }
    }
}

/// Writes a tile's spikes as words; bits beyond the tile's width stay 0.
#[inline(always)]
fn write_words<S: Simd, const FULL: bool>(
    simd: S,
    words: &mut [u64],
    width: usize,
    fired: [S::Mask; TILE],
) {
    let per_word = 64 / S::LANES;
    for w in 0..TILE / per_word {
        if !FULL && w >= words.len() {
            break;
        }
        let mut bits = 0;
        for i in 0..per_word {
            bits |= simd.to_bits(fired[w * per_word + i]) << (i * S::LANES);
        }
        let beyond = if FULL {
            0
        } else {
            (64 * (w + 1)).saturating_sub(width)
        };
        words[w] = if beyond == 0 {
            bits
        } else {
            bits & (u64::MAX >> beyond)
        };
    }
}
