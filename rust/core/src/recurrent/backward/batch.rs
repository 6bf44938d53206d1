//! Some samples, backward through time.

use super::history::History;
use crate::neuron::{Current, Neuron, membrane};
use crate::parallel::progress;
use crate::recurrent::batch::Batch;
use crate::recurrent::{Connection, OutputGradients};
use crate::registry::AnySurrogate;
use crate::sequence::adjoint::{Carry, Spike};
use crate::sequence::start::lanes;
use crate::simd::{Columns, Isa, Kernel, Simd, TILE, dispatch};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;

/// Numbers of the recomputed history that are kept at a time, unless one step takes more: 16 MB.
const HISTORY: usize = 4 << 20;

/// A batch through all steps, backward.
pub(super) struct Job<'a, 'b, N> {
    pub(super) batch: Batch<'a>,
    pub(super) surrogate: AnySurrogate,
    pub(super) incoming: &'a OutputGradients<'a>,
    pub(super) current: Columns<'b, f32>,
    pub(super) initial: Vec<Option<Columns<'b, f32>>>,
    /// Row by row: parameters, threshold, one-to-one weight.
    pub(super) learned: Option<Columns<'b, f32>>,
    pub(super) neuron: PhantomData<N>,
}

thread_local! {
    /// Kept by the thread: fresh pages cost as much as the arithmetic.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A job and the buffer for its history.
struct WithScratch<'s, J>(J, &'s mut Vec<f32>);

impl<N: Neuron> Kernel for WithScratch<'_, Job<'_, '_, N>> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self(mut job, scratch) = self;
        let immediate = N::IMMEDIATE && job.batch.layer.neurons.reset.immediate;
        match (immediate, job.learned.is_some()) {
            (false, false) => job.all::<S, false, false>(simd, scratch),
            (false, true) => job.all::<S, false, true>(simd, scratch),
            (true, _) => job.all::<S, true, true>(simd, scratch),
        }
    }
}

/// The gradients that a batch carries from step to step, in planes.
struct Carried {
    /// Of the states.
    states: Vec<f32>,
    /// Of what is learned: row by row as in [`Job::learned`].
    learned: Vec<f32>,
    /// Of the spikes, by way of what they caused one step later.
    spikes: Vec<f32>,
}

impl<N: Neuron> Job<'_, '_, N> {
    /// Runs the batch on the calling thread.
    pub(super) fn run(self, isa: Isa) {
        let mut scratch = SCRATCH.take();
        dispatch(isa, WithScratch(self, &mut scratch));
        SCRATCH.set(scratch);
    }

    #[inline(always)]
    fn all<S: Simd, const IMMEDIATE: bool, const LEARN: bool>(
        &mut self,
        simd: S,
        scratch: &mut Vec<f32>,
    ) {
        let steps = self.batch.layer.neurons.shape.steps;
        let (state, plane) = (self.batch.state::<N>(), self.batch.plane());
        let mut carry = Carried {
            states: vec![0.0; N::STATES.len() * plane],
            learned: vec![0.0; (N::PARAMETERS.len() + 2) * plane],
            spikes: vec![0.0; plane],
        };
        for (view, to) in self
            .incoming
            .last
            .iter()
            .zip(carry.states.chunks_exact_mut(plane))
        {
            self.batch.fill(simd, view, to);
        }
        let last_spikes = &self.incoming.last_spikes;
        self.batch.fill(simd, last_spikes, &mut carry.spikes);

        let chunk = (HISTORY / state).clamp(1, steps.max(1));
        let chunks = steps.div_ceil(chunk);
        let compared = if IMMEDIATE { chunk * plane } else { 0 };
        let sizes = [chunks * (state + plane), (chunk + 1) * state, compared];
        let mut history = History::new(scratch, sizes);
        self.batch.start(simd, &mut history.entries[..state]);
        // Up to the last chunk, saving what enters each, and back again. One loop does both, because
        // the code of a chunk is inlined wherever it is called.
        for pass in 0..(2 * chunks).saturating_sub(1) {
            let number = pass.min(2 * chunks - 2 - pass);
            let range = number * chunk..((number + 1) * chunk).min(steps);
            let start = &mut history.starts[number * (state + plane)..][..state + plane];
            let (states, recurrent) = start.split_at_mut(state);
            if pass == number {
                states.copy_from_slice(&history.entries[..state]);
                recurrent.copy_from_slice(&self.batch.recurrent);
            } else {
                history.entries[..state].copy_from_slice(states);
                self.batch.recurrent.copy_from_slice(recurrent);
            }
            self.recompute::<S, IMMEDIATE>(simd, &mut history, range.clone());
            if pass + 1 >= chunks {
                self.reverse::<S, IMMEDIATE, LEARN>(simd, &history, range, &mut carry);
            } else {
                history.entries.copy_within(chunk * state.., 0);
            }
        }
        for (k, out) in self.initial.iter_mut().enumerate() {
            if let Some(out) = out {
                self.batch.copy(&carry.states, k, out.row(0));
            }
        }
        if let Some(out) = &mut self.learned {
            for k in 0..out.rows() {
                self.batch.copy(&carry.learned, k, out.row(k));
            }
        }
    }

    /// Runs the steps of a chunk forward, from what enters its first.
    #[inline(always)]
    fn recompute<S: Simd, const IMMEDIATE: bool>(
        &mut self,
        simd: S,
        history: &mut History<'_>,
        steps: Range<usize>,
    ) {
        let (state, plane) = (self.batch.state::<N>(), self.batch.plane());
        for (i, t) in steps.enumerate() {
            let (before, after) = history.entries.split_at_mut((i + 1) * state);
            let (from, to) = (&before[i * state..], &mut after[..state]);
            let compared = if IMMEDIATE {
                &mut history.compared[i * plane..][..plane]
            } else {
                &mut []
            };
            self.batch.advance::<S, N, IMMEDIATE>(
                simd,
                t,
                from,
                to,
                #[inline(always)]
                |at, mut result| {
                    if IMMEDIATE {
                        let u = *membrane::<S, N>(&mut result.fired_from);
                        simd.store(&mut compared[at..], u);
                    }
                },
            );
            if t + 1 < self.batch.layer.neurons.shape.steps {
                self.batch.feed_back(simd);
            }
        }
    }

    /// Sends the gradients back through the steps of a chunk.
    #[inline(always)]
    fn reverse<S: Simd, const IMMEDIATE: bool, const LEARN: bool>(
        &mut self,
        simd: S,
        history: &History<'_>,
        steps: Range<usize>,
        carry: &mut Carried,
    ) {
        let samples = self.batch.samples.clone();
        for (i, t) in steps.enumerate().rev() {
            progress(2 * self.batch.plane());
            for row in 0..samples.len() {
                for first in (0..self.batch.vectors::<S>()).step_by(TILE) {
                    let vectors = first..(first + TILE).min(self.batch.vectors::<S>());
                    self.back::<S, IMMEDIATE, LEARN>(simd, history, (i, t), row, vectors, carry);
                }
            }
            if t > 0 {
                let gradient = self.current.row(t);
                let feedback = self.batch.feedback;
                feedback.backward(simd, samples.clone(), gradient, &mut carry.spikes);
            }
        }
    }

    /// Sends the gradients of at most [`TILE`] vectors back through step `t`, the `i`-th of the
    /// present chunk.
    #[inline(always)]
    fn back<S: Simd, const IMMEDIATE: bool, const LEARN: bool>(
        &mut self,
        simd: S,
        history: &History<'_>,
        (i, t): (usize, usize),
        row: usize,
        vectors: Range<usize>,
        carry: &mut Carried,
    ) {
        let (batch, zero) = (&self.batch, simd.splat(0.0));
        let layer = &batch.layer.neurons;
        let entered = &history.entries[i * batch.state::<N>()..];
        let mut slopes = [zero; TILE];
        for v in vectors.clone() {
            let vector = batch.vector::<S>(row, v);
            let [lanes] = lanes::<S, N, false, 1>(simd, layer, vector);
            let compared = history.compared::<S, N, IMMEDIATE>(simd, batch, i, row, vector.first);
            let level = N::level(simd, lanes.parameters, compared);
            slopes[v - vectors.start] = simd.sub(level, lanes.threshold);
        }
        let slopes = self.surrogate.derivative(simd, slopes, vectors.len());
        let one_to_one = matches!(batch.layer.connection, Connection::OneToOne(_));
        for v in vectors.clone() {
            let vector = batch.vector::<S>(row, v);
            let (first, width) = (vector.first, vector.width);
            let [lanes] = lanes::<S, N, false, 1>(simd, layer, vector);
            let at = batch.at(0, row, first);
            let plane = batch.plane();
            let [external] = self.incoming.spikes.load::<S, false, 1>(simd, t, vector);
            let mut carried = Carry::<S, N>::new(simd);
            carried.state = batch.states::<S, N>(simd, &carry.states, row, first);
            for (k, view) in self.incoming.states.iter().enumerate() {
                let [value] = view.load::<S, false, 1>(simd, t, vector);
                let state = &mut carried.state.as_mut()[k];
                *state = simd.add(*state, value);
            }
            let learned = N::PARAMETERS.len();
            if LEARN {
                for k in 0..learned {
                    carried.parameters.as_mut()[k] = simd.load(&carry.learned[k * plane + at..]);
                }
                carried.threshold = simd.load(&carry.learned[learned * plane + at..]);
            }
            let entered_state = batch.states::<S, N>(simd, entered, row, first);
            let spike = Spike {
                gradient: simd.add(external, simd.load(&carry.spikes[at..])),
                graded: simd.splat(1.0),
                slope: slopes[v - vectors.start],
            };
            let compared = history.compared::<S, N, IMMEDIATE>(simd, batch, i, row, first);
            let gradient = carried.through::<IMMEDIATE, LEARN>(
                simd,
                &lanes,
                entered_state,
                // No recurrent neuron's adjoint depends on it.
                Current::recurrent(zero, zero),
                compared,
                spike,
            );
            for k in 0..N::STATES.len() {
                simd.store(
                    &mut carry.states[k * plane + at..],
                    carried.state.as_ref()[k],
                );
            }
            let place = row * batch.neurons() + first;
            if LEARN {
                for k in 0..learned {
                    let sum = carried.parameters.as_ref()[k];
                    simd.store(&mut carry.learned[k * plane + at..], sum);
                }
                simd.store(
                    &mut carry.learned[learned * plane + at..],
                    carried.threshold,
                );
                if one_to_one && t + 1 < layer.shape.steps {
                    let reset = lanes.delayed(simd, entered_state);
                    let level = N::level(simd, lanes.parameters, compared);
                    let fired = lanes.fires(simd, &reset, level);
                    let next = simd.load_partial(&self.current.row(t + 1)[place..][..width]);
                    let sum = &mut carry.learned[(learned + 1) * plane + at..];
                    let counted = simd.select(fired, next, zero);
                    simd.store(sum, simd.add(simd.load(sum), counted));
                }
            }
            let out = &mut self.current.row(t)[place..][..width];
            if width == S::LANES {
                simd.store(out, gradient);
            } else {
                simd.store_partial(out, gradient);
            }
        }
    }
}
