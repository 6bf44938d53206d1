//! Some samples through all layers, some neurons at a time.
//!
//! What a thread reads again and again are the weights of some neurons, and their currents for a few
//! samples: little enough to stay in its second-level cache.

use super::bands::Bands;
use crate::matmul::Listed;
use crate::matmul::packed::Packed;
use crate::sequence;
use crate::simd::{Columns, Isa, TILE};
use crate::spikes::layout::{WORD_BITS, words};
use crate::stack::Layer;
use crate::stack::samples::{layer_of, words_of};
use crate::tiling::{Shape, cut};
use std::ops::Range;

/// Some samples through all layers.
pub(super) struct Job<'a> {
    /// Of all samples.
    pub(super) spikes: &'a [u64],
    /// Likewise.
    pub(super) shape: Shape,
    pub(super) layers: &'a [Layer<'a>],
    pub(super) weights: &'a [Packed],
    pub(super) samples: Range<usize>,
    /// How many samples go through the layers together.
    pub(super) at_a_time: usize,
    /// Whether all threads share this job, and not each has one of its own.
    pub(super) alone: bool,
    pub(super) outputs: Vec<Bands<'a>>,
}

impl Job<'_> {
    pub(super) fn run(mut self, isa: Isa) {
        let layers = self.layers.iter();
        let widest = layers.map(|layer| self.columns(isa, layer)).max();
        let most = self.at_a_time.min(self.samples.len());
        let mut current = vec![0.0; self.shape.steps * most * widest.unwrap_or(0)];
        for samples in cut(self.samples.clone(), self.at_a_time) {
            let mut spikes = words_of(self.spikes, self.shape, samples.clone());
            for i in 0..self.layers.len() {
                spikes = self.pass(isa, i, samples.clone(), &spikes, &mut current);
            }
        }
    }

    /// Neurons of a layer that are taken at a time: whole tiles of its weights, and whole words. Those of
    /// a narrow layer are taken together, because what is left of a tile would leave lanes empty.
    fn columns(&self, isa: Isa, layer: &Layer<'_>) -> usize {
        let neurons = layer.neurons.shape.neurons;
        let width = TILE * isa.lanes();
        let is_wide = neurons.is_multiple_of(width) || neurons > 4 * width;
        if is_wide && !self.alone {
            width
        } else {
            neurons
        }
    }

    /// The spikes of a layer for some samples, and for those that enter it.
    fn pass(
        &mut self,
        isa: Isa,
        i: usize,
        samples: Range<usize>,
        entering: &[u64],
        current: &mut [f32],
    ) -> Vec<u64> {
        let layer = &self.layers[i];
        let Shape { steps, neurons, .. } = layer.neurons.shape;
        let (rows, row) = (steps * samples.len(), words(neurons));
        let place = samples.start - self.samples.start..samples.end - self.samples.start;
        let mut fired = vec![0; rows * row];
        let listed = (rows > 0).then(|| Listed::new(isa, entering, rows, layer.inputs()));
        for columns in cut(0..neurons, self.columns(isa, layer).max(1)) {
            let current = &mut current[..rows * columns.len()];
            if let Some(listed) = &listed {
                let bias = layer.bias.map(|bias| &bias[columns.clone()]);
                listed.product(isa, &self.weights[i], columns.clone(), bias, current);
            }
            let piece = layer_of(&layer.neurons, samples.clone(), columns.clone(), current);
            let to = Fired {
                columns,
                neurons,
                words: &mut fired,
                last: &mut self.outputs[i].last,
                first: place.start,
            };
            to.fire(isa, &piece);
        }
        if row > 0 {
            for (step, from) in fired.chunks_exact(samples.len() * row).enumerate() {
                let to = &mut self.outputs[i].packed.row(step)[place.start * row..place.end * row];
                to.copy_from_slice(from);
            }
        }
        fired
    }
}

/// Where the spikes and last states of some neurons go.
struct Fired<'a, 'b> {
    /// Which neurons.
    columns: Range<usize>,
    /// Of how many.
    neurons: usize,
    /// The words of all neurons.
    words: &'a mut [u64],
    /// The last states of all neurons of a part's samples.
    last: &'a mut [Columns<'b, f32>],
    /// The first of the samples among these.
    first: usize,
}

impl Fired<'_, '_> {
    /// Runs the neurons.
    fn fire(self, isa: Isa, layer: &sequence::Layer<'_>) {
        let Shape {
            steps,
            samples,
            neurons,
        } = layer.shape;
        let (row, all) = (words(neurons), words(self.neurons));
        let mut packed = vec![0; steps * samples * row];
        let mut last = vec![vec![0.0; samples * neurons]; self.last.len()];
        let results = sequence::Outputs {
            packed: Some(&mut packed),
            dense: None,
            states: last.iter().map(|_| None).collect(),
            last: last.iter_mut().map(|last| Some(&mut last[..])).collect(),
        };
        sequence::forward(isa, layer, results).expect("the layer has been checked");
        let place = self.columns.start / WORD_BITS..self.columns.start / WORD_BITS + row;
        let rows = self.words.chunks_exact_mut(all);
        for (to, from) in rows.zip(packed.chunks_exact(row)) {
            match from {
                // The word of a tile, which takes less than a call.
                &[from] => to[place.start] = from,
                _ => to[place.clone()].copy_from_slice(from),
            }
        }
        for (to, from) in self.last.iter_mut().zip(&last) {
            let to = to.row(0).chunks_exact_mut(self.neurons).skip(self.first);
            for (to, from) in to.zip(from.chunks_exact(neurons)) {
                to[self.columns.clone()].copy_from_slice(from);
            }
        }
    }
}
