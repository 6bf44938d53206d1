//! Where threads write what they compute.

use crate::simd::Columns;
use crate::spikes::layout::words;
use crate::tiling::Shape;
use std::ops::Range;

/// Where the results of a layer go, for some samples.
pub(super) struct Bands<'a> {
    pub(super) packed: Columns<'a, u64>,
    pub(super) last: Vec<Columns<'a, f32>>,
}

impl<'a> Bands<'a> {
    /// The bands of each part of the samples, of words and last states.
    pub(super) fn split(
        (packed, last): (&'a mut [u64], Vec<&'a mut [f32]>),
        shape: Shape,
        parts: &[Range<usize>],
    ) -> Vec<Self> {
        let Shape {
            samples, neurons, ..
        } = shape;
        let of = |per_sample: usize| {
            let parts = parts.iter();
            parts.map(move |part| part.start * per_sample..part.end * per_sample)
        };
        let row = words(neurons);
        let packed = Columns::split(packed, samples * row, of(row));
        let mut last: Vec<_> = last
            .into_iter()
            .map(|last| Columns::split(last, samples * neurons, of(neurons)).into_iter())
            .collect();
        packed
            .into_iter()
            .map(|packed| Self {
                packed,
                last: last.iter_mut().filter_map(Iterator::next).collect(),
            })
            .collect()
    }
}
