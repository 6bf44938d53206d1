//! Some samples of a recurrent layer, step by step.

use super::Layer;
use super::feedback::Feedback;
use crate::neuron::{Current, Neuron, Step, Vectors, step};
use crate::parallel::progress;
use crate::sequence::start::lanes;
use crate::simd::Simd;
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use crate::tiling::{Strided, Tile};
use std::ops::Range;

/// Some samples, their latest spikes, and what these send back.
///
/// Numbers lie in planes, which have a row of [`padded`] numbers for each sample: one plane for the
/// recurrent current of the next step, and one for each state, which the caller keeps.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) layer: &'a Layer<'a>,
    pub(super) feedback: &'a Feedback<'a>,
    pub(super) samples: Range<usize>,
    /// A row of words for each sample.
    pub(super) spikes: Vec<u64>,
    /// A plane.
    pub(super) recurrent: Vec<f32>,
    /// Memory for lists of active neurons.
    active: Vec<u32>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        layer: &'a Layer<'a>,
        feedback: &'a Feedback<'a>,
        samples: Range<usize>,
    ) -> Self {
        let row = words(layer.neurons.shape.neurons);
        Self {
            layer,
            feedback,
            spikes: vec![0; samples.len() * row],
            recurrent: vec![0.0; samples.len() * padded(layer.neurons.shape.neurons)],
            samples,
            active: Vec::new(),
        }
    }

    /// Neurons of a sample.
    #[inline(always)]
    pub(super) fn neurons(&self) -> usize {
        self.layer.neurons.shape.neurons
    }

    /// The columns of the batch in a row of so many values per sample.
    pub(super) fn columns(samples: Range<usize>, per_sample: usize) -> Range<usize> {
        samples.start * per_sample..samples.end * per_sample
    }

    /// Numbers of a plane.
    #[inline(always)]
    pub(super) fn plane(&self) -> usize {
        self.samples.len() * padded(self.neurons())
    }

    /// Numbers of the planes of all states.
    #[inline(always)]
    pub(super) fn state<N: Neuron>(&self) -> usize {
        N::STATES.len() * self.plane()
    }

    /// Where neuron `first` of a row lies in plane `k`.
    #[inline(always)]
    pub(super) fn at(&self, k: usize, row: usize, first: usize) -> usize {
        k * self.plane() + row * padded(self.neurons()) + first
    }

    /// How many vectors a row takes.
    #[inline(always)]
    pub(super) fn vectors<S: Simd>(&self) -> usize {
        self.neurons().div_ceil(S::LANES)
    }

    /// Vector `v` of a row, which is the last one narrower if need be.
    #[inline(always)]
    pub(super) fn vector<S: Simd>(&self, row: usize, v: usize) -> Tile {
        let first = v * S::LANES;
        Tile {
            sample: self.samples.start + row,
            first,
            width: S::LANES.min(self.neurons() - first),
        }
    }

    /// Copies rows of a view into a plane.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&self, simd: S, view: &Strided<'_>, plane: &mut [f32]) {
        for row in 0..self.samples.len() {
            for v in 0..self.vectors::<S>() {
                let tile = self.vector::<S>(row, v);
                let [vector] = view.load::<S, false, 1>(simd, 0, tile);
                simd.store(&mut plane[self.at(0, row, tile.first)..], vector);
            }
        }
    }

    /// What enters the first step.
    #[inline(always)]
    pub(super) fn start<S: Simd>(&mut self, simd: S, states: &mut [f32]) {
        let views = self.layer.neurons.initial.iter();
        for (view, plane) in views.zip(states.chunks_exact_mut(self.plane())) {
            self.fill(simd, view, plane);
        }
        let mut first = std::mem::take(&mut self.recurrent);
        self.fill(simd, &self.layer.first, &mut first);
        self.recurrent = first;
    }

    /// One step: `from` the states that enter it `to` those that enter the next. `each` sees the
    /// result for the vector at an offset in a plane.
    #[inline(always)]
    pub(super) fn advance<S: Simd, N: Neuron, const IMMEDIATE: bool>(
        &mut self,
        simd: S,
        t: usize,
        from: &[f32],
        to: &mut [f32],
        mut each: impl FnMut(usize, Step<S, N>),
    ) {
        let layer = &self.layer.neurons;
        let row_words = words(self.neurons());
        progress(self.plane());
        for row in 0..self.samples.len() {
            self.spikes[row * row_words..][..row_words].fill(0);
            for v in 0..self.vectors::<S>() {
                let tile = self.vector::<S>(row, v);
                let first = tile.first;
                let [lanes] = lanes::<S, N, false, 1>(simd, layer, tile);
                let [external] = layer.current.load::<S, false, 1>(simd, t, tile);
                let state = self.states::<S, N>(simd, from, row, first);
                let recurrent = simd.load(&self.recurrent[self.at(0, row, first)..]);
                let current = Current::recurrent(external, recurrent);
                let result = step::<S, N>(simd, &lanes, state, current, IMMEDIATE);
                for k in 0..N::STATES.len() {
                    simd.store(&mut to[self.at(k, row, first)..], result.state.as_ref()[k]);
                }
                self.spikes[row * row_words + first / WORD_BITS] |=
                    simd.to_bits(result.fired) << (first % WORD_BITS);
                let at = self.at(0, row, first);
                if let Some(weight) = self.feedback.one_to_one(simd, tile) {
                    let spike = simd.select(result.fired, simd.splat(1.0), simd.splat(0.0));
                    simd.store(&mut self.recurrent[at..], simd.mul(spike, weight));
                }
                each(at, result);
            }
            self.spikes[(row + 1) * row_words - 1] &= tail_mask(self.neurons());
        }
    }

    /// Sends the spikes of a step into the next through a dense connection.
    #[inline(always)]
    pub(super) fn feed_back<S: Simd>(&mut self, simd: S) {
        let (out, active) = (&mut self.recurrent, &mut self.active);
        self.feedback.forward(simd, &self.spikes, out, active);
    }

    /// Copies plane `k` into rows without gaps.
    pub(super) fn copy(&self, planes: &[f32], k: usize, rows: &mut [f32]) {
        for (row, to) in rows.chunks_exact_mut(self.neurons()).enumerate() {
            to.copy_from_slice(&planes[self.at(k, row, 0)..][..to.len()]);
        }
    }

    /// The states of one vector.
    #[inline(always)]
    pub(super) fn states<S: Simd, N: Neuron>(
        &self,
        simd: S,
        planes: &[f32],
        row: usize,
        first: usize,
    ) -> N::State<S> {
        N::State::<S>::from_fn(
            #[inline(always)]
            |k| simd.load(&planes[self.at(k, row, first)..]),
        )
    }
}
