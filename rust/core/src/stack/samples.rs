//! What belongs to some samples of a stack.

use crate::sequence;
use crate::spikes::layout::words;
use crate::tiling::{Shape, Strided};
use std::ops::Range;

/// The words of some samples' spikes, of those of all samples.
pub(super) fn words_of(spikes: &[u64], all: Shape, samples: Range<usize>) -> Vec<u64> {
    let row = words(all.neurons);
    let mut found = Vec::with_capacity(all.steps * samples.len() * row);
    for step in spikes.chunks_exact((all.samples * row).max(1)) {
        found.extend_from_slice(&step[samples.start * row..samples.end * row]);
    }
    found
}

/// A layer of some samples' neurons, or of some of these, which these currents drive.
pub(super) fn layer_of<'a>(
    layer: &sequence::Layer<'a>,
    samples: Range<usize>,
    neurons: Range<usize>,
    current: &'a [f32],
) -> sequence::Layer<'a> {
    let shape = Shape {
        samples: samples.len(),
        neurons: neurons.len(),
        ..layer.shape
    };
    let of = |view: &Strided<'a>| {
        view.starting_at(samples.start)
            .starting_at_neuron(neurons.start)
    };
    sequence::Layer {
        shape,
        current: rows(current, shape, shape.neurons),
        parameters: layer.parameters.iter().map(of).collect(),
        threshold: of(&layer.threshold),
        graded_factor: of(&layer.graded_factor),
        initial: layer.initial.iter().map(of).collect(),
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
