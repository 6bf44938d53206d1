//! Some samples of a recurrent layer, step by step.

use super::Layer;
use super::feedback::Feedback;
use crate::neuron::{Current, FiringLanes, Neuron, Step, Vectors, step};
use crate::parallel::progress;
use crate::sequence::start::lanes;
use crate::simd::Simd;
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use crate::tiling::{Strided, Tile, cut};
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
    /// Whether neurons of a sample share all constants.
    is_shared: bool,
}

/// What is constant for the neurons of a vector.
#[derive(Clone, Copy)]
pub(super) struct Constants<S: Simd, N: Neuron> {
    pub(super) firing: FiringLanes<S, N>,
    /// The weight by which a spike comes back to its own neuron, if it comes to no other.
    pub(super) weight: Option<S::F32>,
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
            is_shared: layer.neurons.shares_constants() && feedback.is_shared(),
        }
    }

    /// The constants of all neurons of a row, if they share them.
    #[inline(always)]
    pub(super) fn shared<S: Simd, N: Neuron>(
        &self,
        simd: S,
        row: usize,
    ) -> Option<Constants<S, N>> {
        let first = self.vector::<S>(row, 0);
        self.is_shared.then(
            #[inline(always)]
            || self.constants(simd, None, first),
        )
    }

    /// The constants of a vector: those that its row shares, if it does.
    #[inline(always)]
    pub(super) fn constants<S: Simd, N: Neuron>(
        &self,
        simd: S,
        shared: Option<Constants<S, N>>,
        vector: Tile,
    ) -> Constants<S, N> {
        if let Some(shared) = shared {
            return shared;
        }
        let [firing] = lanes::<S, N, false, 1>(simd, &self.layer.neurons, vector);
        Constants {
            firing,
            weight: self.feedback.one_to_one(simd, vector),
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
        let vectors = self.vectors::<S>();
        progress(self.plane());
        let mut spikes = std::mem::take(&mut self.spikes);
        for (row, words) in spikes.chunks_exact_mut(words(self.neurons())).enumerate() {
            let shared = self.shared::<S, N>(simd, row);
            let vectors_of_words = cut(0..vectors, WORD_BITS / S::LANES);
            for (word, vectors) in words.iter_mut().zip(vectors_of_words) {
                let mut fired = 0;
                for v in vectors {
                    let tile = self.vector::<S>(row, v);
                    let (first, at) = (tile.first, self.at(0, row, tile.first));
                    let Constants { firing, weight } = self.constants(simd, shared, tile);
                    let [external] = layer.current.load::<S, false, 1>(simd, t, tile);
                    let state = self.states::<S, N>(simd, from, row, first);
                    let recurrent = simd.load(&self.recurrent[at..]);
                    let current = Current::recurrent(external, recurrent);
                    let result = step::<S, N>(simd, &firing, state, current, IMMEDIATE);
                    for k in 0..N::STATES.len() {
                        simd.store(&mut to[self.at(k, row, first)..], result.state.as_ref()[k]);
                    }
                    fired |= simd.to_bits(result.fired) << (first % WORD_BITS);
                    if let Some(weight) = weight {
                        let spike = simd.select(result.fired, simd.splat(1.0), simd.splat(0.0));
                        simd.store(&mut self.recurrent[at..], simd.mul(spike, weight));
                    }
                    each(at, result);
                }
                *word = fired;
            }
            if let Some(last) = words.last_mut() {
                *last &= tail_mask(self.neurons());
            }
        }
        self.spikes = spikes;
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
