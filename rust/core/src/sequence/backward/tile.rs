//! A span of neurons, backward through time, tile by tile.

use super::history::History;
use crate::neuron::{Current, FiringLanes, Neuron, membrane, step};
use crate::parallel::{Scratch, progress};
use crate::registry::AnySurrogate;
use crate::sequence::adjoint::{Carry, Spike};
use crate::sequence::checkpoint::Pass;
use crate::sequence::errors::ErrorColumns;
use crate::sequence::start::{SHARED, initial, shared_lanes};
use crate::sequence::{Layer, OutputGradients};
use crate::simd::{Columns, Kernel, Simd, TILE, array};
use crate::tiling::{AHEAD, Span, Tile, write};
use std::marker::PhantomData;
use std::ops::Range;

/// The tiles of a span, one after another, through all steps, backward.
pub(super) struct Job<'a, 'b, N> {
    pub(super) layer: &'a Layer<'a>,
    pub(super) surrogate: AnySurrogate,
    pub(super) incoming: &'a OutputGradients<'a>,
    pub(super) span: Span,
    pub(super) current: Option<Columns<'b, f32>>,
    pub(super) initial: Vec<Option<Columns<'b, f32>>>,
    /// Row by row: parameters, threshold, graded factor.
    pub(super) learned: Option<Columns<'b, f32>>,
    pub(super) errors: Option<ErrorColumns<'b>>,
    pub(super) neuron: PhantomData<N>,
}

impl<N: Neuron> Kernel for Job<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let mut kept = Scratch::take();
        let (job, scratch) = (&mut self, &mut kept);
        for tile in job.span.tiles::<S>() {
            job.tile(simd, tile, scratch);
        }
        simd.drain();
        kept.put_back();
    }
}

impl<N: Neuron> Job<'_, '_, N> {
    /// One tile through all steps.
    #[inline(always)]
    fn tile<S: Simd>(&mut self, simd: S, tile: Tile, scratch: &mut Scratch) {
        let full = S::UNROLL && N::UNROLL && tile.width == TILE * S::LANES;
        let immediate = N::IMMEDIATE && self.layer.reset.immediate;
        let errors = N::FILTERS && self.errors.is_some();
        let plain = N::PLAIN && self.layer.is_plain();
        match (full, immediate, errors, self.learned.is_some()) {
            (true, false, false, false) if plain => {
                self.steps::<S, true, false, false, false, SHARED>(simd, tile, scratch)
            }
            (true, false, true, false) if plain => {
                self.steps::<S, true, false, false, true, SHARED>(simd, tile, scratch)
            }
            (true, false, false, false) => {
                self.steps::<S, true, false, false, false, TILE>(simd, tile, scratch)
            }
            (true, false, false, true) => {
                self.steps::<S, true, false, true, false, TILE>(simd, tile, scratch)
            }
            (true, false, true, _) => {
                self.steps::<S, true, false, true, true, TILE>(simd, tile, scratch)
            }
            (true, true, false, _) => {
                self.steps::<S, true, true, true, false, TILE>(simd, tile, scratch)
            }
            // A tile that is not full is rare or small, and so are errors under an immediate reset:
            // one copy of the loop serves all.
            (_, false, ..) => self.steps::<S, false, false, true, true, TILE>(simd, tile, scratch),
            (_, true, ..) => self.steps::<S, false, true, true, true, TILE>(simd, tile, scratch),
        }
    }

    #[inline(always)]
    fn steps<
        S: Simd,
        const FULL: bool,
        const IMMEDIATE: bool,
        const LEARN: bool,
        const ERRORS: bool,
        const OWN: usize,
    >(
        &mut self,
        simd: S,
        tile: Tile,
        scratch: &mut Scratch,
    ) {
        let lanes = shared_lanes::<S, N, FULL, OWN>(simd, self.layer, tile);
        let mut carry = [Carry::<S, N>::new(simd); TILE];
        for (k, view) in self.incoming.last.iter().enumerate() {
            let row = view.load_once::<S, FULL, TILE>(simd, tile);
            for (carry, value) in carry.iter_mut().zip(row) {
                carry.state.as_mut()[k] = value;
            }
        }

        if let Some(errors) = &mut self.errors {
            errors.begin();
        }
        let mut history = History::<S, N, IMMEDIATE>::new(scratch, self.layer.shape.steps);
        let mut state = initial::<S, N, FULL>(simd, self.layer, tile);
        for pass in history.chunks().passes() {
            progress(2 * tile.width * pass.steps.len());
            if pass.saves {
                history.save(simd, pass.chunk, &state);
            }
            state =
                self.recompute::<S, FULL, IMMEDIATE, OWN>(simd, tile, &lanes, &mut history, &pass);
            if pass.reverses {
                self.reverse::<S, FULL, IMMEDIATE, LEARN, ERRORS, OWN>(
                    simd,
                    tile,
                    &lanes,
                    &mut history,
                    pass.steps,
                    &mut carry,
                );
            }
        }
        if N::ADAPTS {
            self.adapt::<S, FULL, OWN>(simd, tile, &lanes, &mut carry);
        }
        self.finish::<S, FULL>(simd, tile, &carry);
    }

    /// Sends what spikes of the initial states adapt in the first step back to these.
    #[inline(always)]
    fn adapt<S: Simd, const FULL: bool, const OWN: usize>(
        &self,
        simd: S,
        tile: Tile,
        lanes: &[FiringLanes<S, N>; OWN],
        carry: &mut [Carry<S, N>; TILE],
    ) {
        let state = initial::<S, N, FULL>(simd, self.layer, tile);
        let vectors = tile.vectors::<S, FULL>();
        let slopes = self.slopes(simd, lanes, &state, vectors);
        for (k, carry) in carry.iter_mut().enumerate().take(vectors) {
            carry.adapt(simd, &lanes[k % OWN], state[k], slopes[k]);
        }
    }

    /// The surrogate's derivative at the states that were compared with the threshold.
    #[inline(always)]
    fn slopes<S: Simd, const OWN: usize>(
        &self,
        simd: S,
        lanes: &[FiringLanes<S, N>; OWN],
        compared: &[N::State<S>; TILE],
        vectors: usize,
    ) -> [S::F32; TILE] {
        let above: [S::F32; TILE] = array(
            #[inline(always)]
            |k| {
                let level = N::level(simd, lanes[k % OWN].parameters, compared[k]);
                simd.sub(level, lanes[k % OWN].threshold)
            },
        );
        self.surrogate.derivative(simd, above, vectors)
    }

    /// Runs a chunk forward from its saved states, records it, and returns the states after it.
    #[inline(always)]
    fn recompute<S: Simd, const FULL: bool, const IMMEDIATE: bool, const OWN: usize>(
        &self,
        simd: S,
        tile: Tile,
        lanes: &[FiringLanes<S, N>; OWN],
        history: &mut History<'_, S, N, IMMEDIATE>,
        pass: &Pass,
    ) -> [N::State<S>; TILE] {
        let vectors = tile.vectors::<S, FULL>();
        let mut state = history.restore(simd, pass.chunk);
        for (i, t) in pass.steps.clone().enumerate() {
            history.record_entering(simd, i, &state);
            if t + AHEAD < self.layer.shape.steps {
                self.layer.current.prefetch(simd, t + AHEAD, tile);
            }
            let current: [S::F32; TILE] = self.layer.current.load::<S, FULL, TILE>(simd, t, tile);
            let mut compared = current;
            for k in 0..vectors {
                let current = Current::external(current[k]);
                let mut result = step::<S, N>(simd, &lanes[k % OWN], state[k], current, IMMEDIATE);
                state[k] = result.state;
                compared[k] = *membrane::<S, N>(&mut result.fired_from);
            }
            history.record_compared(simd, i, compared);
        }
        history.record_entering(simd, pass.steps.len(), &state);
        state
    }

    /// Sends the gradients back through a chunk.
    #[inline(always)]
    fn reverse<
        S: Simd,
        const FULL: bool,
        const IMMEDIATE: bool,
        const LEARN: bool,
        const ERRORS: bool,
        const OWN: usize,
    >(
        &mut self,
        simd: S,
        tile: Tile,
        lanes: &[FiringLanes<S, N>; OWN],
        history: &mut History<'_, S, N, IMMEDIATE>,
        steps: Range<usize>,
        carry: &mut [Carry<S, N>; TILE],
    ) {
        let graded: [S::F32; OWN] = self
            .layer
            .graded_factor
            .load_once::<S, FULL, OWN>(simd, tile);
        let vectors = tile.vectors::<S, FULL>();
        let past_caches = self.layer.shape.is_past_caches();
        for (i, t) in steps.enumerate().rev() {
            if let Some(t) = t.checked_sub(AHEAD) {
                self.incoming.spikes.prefetch(simd, t, tile);
                for view in &self.incoming.states {
                    view.prefetch(simd, t, tile);
                }
                if let Some(out) = &mut self.current
                    && !past_caches
                {
                    simd.prefetch(tile.of(self.span, out.row(t)));
                }
            }
            for (k, view) in self.incoming.states.iter().enumerate() {
                let row = view.load::<S, FULL, TILE>(simd, t, tile);
                for (carry, value) in carry.iter_mut().zip(row) {
                    let state = &mut carry.state.as_mut()[k];
                    *state = simd.add(*state, value);
                }
            }
            let [entered, compared] = history.read(simd, i);
            let slopes = self.slopes(simd, lanes, &compared, vectors);
            // Not loaded before: a surrogate that is called would send it to memory.
            let spikes: [S::F32; TILE] = self.incoming.spikes.load::<S, FULL, TILE>(simd, t, tile);
            let mut current: [S::F32; TILE] =
                self.layer.current.load::<S, FULL, TILE>(simd, t, tile);
            let mut errors = [simd.splat(0.0); TILE];
            for k in 0..vectors {
                let spike = Spike {
                    gradient: spikes[k],
                    graded: graded[k % OWN],
                    slope: slopes[k],
                };
                let to_current = carry[k].step_back::<IMMEDIATE, LEARN>(
                    simd,
                    &lanes[k % OWN],
                    entered[k],
                    Current::external(current[k]),
                    compared[k],
                    spike,
                );
                current[k] = to_current.gradient;
                errors[k] = to_current.error;
            }
            if N::FILTERS
                && ERRORS
                && let Some(out) = &mut self.errors
            {
                out.write(simd, t, (self.span, tile), &errors);
            }
            if let Some(out) = &mut self.current {
                let row = tile.of(self.span, out.row(t));
                write::<S, FULL>(simd, past_caches, row, &current);
            }
        }
    }
}
