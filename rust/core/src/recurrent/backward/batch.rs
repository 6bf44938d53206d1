//! Some samples, backward through time.

use super::carried::Carried;
use super::history::History;
use crate::neuron::{Current, Neuron, membrane};
use crate::parallel::{Scratch, progress};
use crate::recurrent::OutputGradients;
use crate::recurrent::batch::{Batch, Constants};
use crate::registry::AnySurrogate;
use crate::sequence::adjoint::{Spike, ToCurrent};
use crate::sequence::checkpoint::Chunks;
use crate::simd::{Columns, Kernel, Simd, TILE};
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
    /// Row by row: parameters, threshold.
    pub(super) learned: Option<Columns<'b, f32>>,
    /// Of the weight of a one-to-one connection.
    pub(super) one_to_one: Option<Columns<'b, f32>>,
    pub(super) neuron: PhantomData<N>,
}

impl<N: Neuron> Kernel for Job<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let mut scratch = Scratch::take();
        let immediate = N::IMMEDIATE && self.batch.layer.neurons.reset.immediate;
        match (immediate, self.learned.is_some()) {
            (false, false) => self.steps::<S, false, false>(simd, &mut scratch),
            (false, true) => self.steps::<S, false, true>(simd, &mut scratch),
            (true, _) => self.steps::<S, true, true>(simd, &mut scratch),
        }
        scratch.put_back();
    }
}

impl<N: Neuron> Job<'_, '_, N> {
    #[inline(always)]
    fn steps<S: Simd, const IMMEDIATE: bool, const LEARN: bool>(
        &mut self,
        simd: S,
        scratch: &mut Scratch,
    ) {
        let steps = self.batch.layer.neurons.shape.steps;
        let (state, plane) = (self.batch.state::<N>(), self.batch.plane());
        let mut carried = Carried::new::<N>(plane);
        let last = self.incoming.neurons.last.iter();
        for (view, to) in last.zip(carried.states.chunks_exact_mut(plane)) {
            self.batch.fill(simd, view, to);
        }
        let last_spikes = &self.incoming.last_spikes;
        self.batch.fill(simd, last_spikes, &mut carried.spikes);

        let chunks = Chunks::new(steps, HISTORY / state);
        let compared = if IMMEDIATE { chunks.size() * plane } else { 0 };
        let entries = (chunks.size() + 1) * state;
        let lengths = [chunks.count() * (state + plane), entries, compared];
        let mut history = History::new(scratch, lengths);
        self.batch.start(simd, &mut history.entries[..state]);
        for pass in chunks.passes() {
            let start = &mut history.starts[pass.chunk * (state + plane)..][..state + plane];
            let (states, recurrent) = start.split_at_mut(state);
            if pass.saves {
                states.copy_from_slice(&history.entries[..state]);
                recurrent.copy_from_slice(&self.batch.recurrent);
            } else {
                history.entries[..state].copy_from_slice(states);
                self.batch.recurrent.copy_from_slice(recurrent);
            }
            self.recompute::<S, IMMEDIATE>(simd, &mut history, pass.steps.clone());
            if pass.reverses {
                self.reverse::<S, IMMEDIATE, LEARN>(simd, &history, pass.steps, &mut carried);
            } else {
                let end = pass.steps.len() * state;
                history.entries.copy_within(end..end + state, 0);
            }
        }
        if N::ADAPTS {
            self.batch.start(simd, &mut history.entries[..state]);
            self.adapt::<S, LEARN>(simd, &history.entries[..state], &mut carried);
        }
        for (k, out) in self.initial.iter_mut().enumerate() {
            if let Some(out) = out {
                self.batch.copy(&carried.states, k, out.row(0));
            }
        }
        if let Some(out) = &mut self.learned {
            for k in 0..out.rows() {
                self.batch.copy(&carried.learned, k, out.row(k));
            }
        }
        if let Some(out) = &mut self.one_to_one {
            self.batch.copy(&carried.one_to_one, 0, out.row(0));
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
        carried: &mut Carried,
    ) {
        let all = self.batch.vectors::<S>();
        for (i, t) in steps.enumerate().rev() {
            progress(2 * self.batch.plane());
            for row in 0..self.batch.samples.len() {
                let shared = self.batch.shared::<S, N>(simd, row);
                for first in (0..all).step_by(TILE) {
                    let vectors = first..(first + TILE).min(all);
                    let batch = &self.batch;
                    let slopes = self.slopes(
                        simd,
                        row,
                        vectors.clone(),
                        shared,
                        #[inline(always)]
                        |first| history.compared::<S, N, IMMEDIATE>(simd, batch, i, row, first),
                    );
                    for v in vectors {
                        self.step_back::<S, IMMEDIATE, LEARN>(
                            simd,
                            history,
                            (i, t),
                            (row, v),
                            shared,
                            slopes[v - first],
                            carried,
                        );
                    }
                }
            }
            if t > 0 {
                let gradient = self.current.row(t);
                let feedback = self.batch.feedback;
                feedback.backward(simd, gradient, &mut carried.spikes);
            }
        }
    }

    /// The surrogate's derivatives at these states of at most [`TILE`] vectors of a row.
    #[inline(always)]
    fn slopes<S: Simd>(
        &self,
        simd: S,
        row: usize,
        vectors: Range<usize>,
        shared: Option<Constants<S, N>>,
        compared: impl Fn(usize) -> N::State<S>,
    ) -> [S::F32; TILE] {
        let batch = &self.batch;
        let mut above = [simd.splat(0.0); TILE];
        for v in vectors.clone() {
            let vector = batch.vector::<S>(row, v);
            let Constants { firing, .. } = batch.constants(simd, shared, vector);
            let level = N::level(simd, firing.parameters, compared(vector.first));
            above[v - vectors.start] = simd.sub(level, firing.threshold);
        }
        self.surrogate.derivative(simd, above, vectors.len())
    }

    /// Sends what spikes of the initial states adapt in the first step back to these.
    #[inline(always)]
    fn adapt<S: Simd, const LEARN: bool>(&self, simd: S, initial: &[f32], carried: &mut Carried) {
        let (batch, all) = (&self.batch, self.batch.vectors::<S>());
        for row in 0..batch.samples.len() {
            let shared = batch.shared::<S, N>(simd, row);
            for start in (0..all).step_by(TILE) {
                let vectors = start..(start + TILE).min(all);
                let slopes = self.slopes(
                    simd,
                    row,
                    vectors.clone(),
                    shared,
                    #[inline(always)]
                    |first| batch.states::<S, N>(simd, initial, row, first),
                );
                for v in vectors {
                    let vector = batch.vector::<S>(row, v);
                    let Constants { firing, .. } = batch.constants(simd, shared, vector);
                    let at = batch.at(0, row, vector.first);
                    let mut carry = carried.load::<S, N, LEARN>(simd, at);
                    let state = batch.states::<S, N>(simd, initial, row, vector.first);
                    carry.adapt(simd, &firing, state, slopes[v - start]);
                    carried.store::<S, N, LEARN>(simd, at, &carry);
                }
            }
        }
    }

    /// Sends the gradients of vector `v` of a row back through step `t`, the `i`-th of the present
    /// chunk.
    #[inline(always)]
    #[allow(
        clippy::too_many_arguments,
        reason = "when, where, what comes in, what goes out"
    )]
    fn step_back<S: Simd, const IMMEDIATE: bool, const LEARN: bool>(
        &mut self,
        simd: S,
        history: &History<'_>,
        (i, t): (usize, usize),
        (row, v): (usize, usize),
        shared: Option<Constants<S, N>>,
        slope: S::F32,
        carried: &mut Carried,
    ) {
        let (batch, zero) = (&self.batch, simd.splat(0.0));
        let vector = batch.vector::<S>(row, v);
        let (first, width) = (vector.first, vector.width);
        let Constants { firing, weight } = batch.constants(simd, shared, vector);
        let entered = &history.entries[i * batch.state::<N>()..];
        let entered = batch.states::<S, N>(simd, entered, row, first);
        let compared = history.compared::<S, N, IMMEDIATE>(simd, batch, i, row, first);

        let at = batch.at(0, row, first);
        let mut carry = carried.load::<S, N, LEARN>(simd, at);
        let incoming = &self.incoming.neurons;
        for (k, view) in incoming.states[..N::STATES.len()].iter().enumerate() {
            let [value] = view.load::<S, false, 1>(simd, t, vector);
            let state = &mut carry.state.as_mut()[k];
            *state = simd.add(*state, value);
        }
        let [external] = incoming.spikes.load::<S, false, 1>(simd, t, vector);
        let spike = Spike {
            gradient: simd.add(external, simd.load(&carried.spikes[at..])),
            graded: simd.splat(1.0),
            slope,
        };
        // `Neuron::RECURRENT` promises that no adjoint depends on its values.
        let current = Current::recurrent(zero, zero);
        let ToCurrent { gradient, .. } =
            carry.step_back::<IMMEDIATE, LEARN>(simd, &firing, entered, current, compared, spike);
        carried.store::<S, N, LEARN>(simd, at, &carry);

        let place = row * batch.neurons() + first;
        if let Some(weight) = weight {
            simd.store(&mut carried.spikes[at..], simd.mul(gradient, weight));
        }
        if self.one_to_one.is_some() && t + 1 < batch.layer.neurons.shape.steps {
            let reset = firing.delayed(simd, entered);
            let level = N::level(simd, firing.parameters, compared);
            let fired = firing.fires(simd, &reset, level);
            let next = &self.current.row(t + 1)[place..][..width];
            let next = match width == S::LANES {
                true => simd.load(next),
                false => simd.load_partial(next),
            };
            carried.add_one_to_one(simd, at, simd.select(fired, next, zero));
        }
        let out = &mut self.current.row(t)[place..][..width];
        if width == S::LANES {
            simd.store(out, gradient);
        } else {
            simd.store_partial(out, gradient);
        }
    }
}
