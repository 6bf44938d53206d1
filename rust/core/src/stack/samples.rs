//! What belongs to some samples of a stack.

use crate::sequence;
use crate::spikes::layout::words;
use crate::tiling::{Shape, Strided};
use std::ops::Range;

/// The words of some samples' spikes, of those of all samples.
pub(super) fn words_of(spikes: &[u64], all: Shape, samples: Range<usize>) -> Vec<u64> {
    let row = words(all.neurons);
    spikes
        .chunks_exact((all.samples * row).max(1))
        .flat_map(|step| &step[samples.start * row..samples.end * row])
        .copied()
        .collect()
}

/// A layer of some samples' neurons, which these currents drive.
pub(super) fn layer_of<'a>(
    layer: &sequence::Layer<'a>,
    samples: Range<usize>,
    current: &'a [f32],
) -> sequence::Layer<'a> {
    let shape = Shape {
        samples: samples.len(),
        ..layer.shape
    };
    sequence::Layer {
        shape,
        current: rows(current, shape, shape.neurons),
        parameters: starting_at(&layer.parameters, samples.start),
        threshold: layer.threshold.starting_at(samples.start),
        graded_factor: layer.graded_factor.starting_at(samples.start),
        initial: starting_at(&layer.initial, samples.start),
        ..*layer
    }
}

/// A view `[T, B, N]` of rows that are so long.
pub(super) fn rows(data: &[f32], shape: Shape, stride: usize) -> Strided<'_> {
    Strided {
        data,
        time: shape.samples * stride,
        sample: stride,
        per_neuron: true,
    }
}

pub(super) fn starting_at<'a>(views: &[Strided<'a>], sample: usize) -> Vec<Strided<'a>> {
    views.iter().map(|view| view.starting_at(sample)).collect()
}
