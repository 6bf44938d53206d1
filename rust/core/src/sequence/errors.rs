//! The errors of a layer: what its spikes send to the current of their own step.
//!
//! Where nothing erases the membrane and all neurons have one decay `β`, the gradient of the current is
//! the filtered error, `δ[t] = e[t] + β·δ[t+1]`, and so is that of what a product made the current of:
//! `δ[t]·W = e[t]·W + β·(δ[t+1]·W)`. A compact surrogate leaves few errors, and a product of these alone,
//! [`crate::matmul::input_gradient`], is the same sum in another order.

use super::Layer;
use crate::Error;
use crate::neuron::{Mechanism, Neuron};
use crate::registry::NeuronVisitor;
use crate::simd::{Columns, Simd, TILE};
use crate::spikes::layout::{WORD_BITS, padded, words};
use crate::tiling::{Shape, Span, Tile, split_columns};

/// Where the errors that are not 0 go.
#[derive(Debug)]
pub struct Errors<'a> {
    /// Whose error is not 0: a row of words for each step and sample, `[T, B, words]`, as of spikes.
    pub active: &'a mut [u64],
    /// 64 places for each word: the errors of its active neurons, ascending, and then rubbish.
    pub values: &'a mut [f32],
}

impl Errors<'_> {
    /// Checks both lengths against the shape of the layer.
    pub(super) fn check(&self, shape: Shape) -> Result<(), Error> {
        let [steps, samples, neurons] = shape.all();
        let active = [steps, samples, words(neurons)];
        Error::check_length("active", self.active.len(), &active)?;
        let values = [steps, samples, padded(neurons)];
        Error::check_length("values", self.values.len(), &values)
    }
}

/// What one thread writes of [`Errors`].
#[derive(Debug)]
pub(super) struct ErrorColumns<'a> {
    active: Columns<'a, u64>,
    values: Columns<'a, f32>,
}

impl<'a> ErrorColumns<'a> {
    /// The part of each span.
    pub(super) fn split(
        errors: Option<Errors<'a>>,
        shape: Shape,
        spans: &[Span],
    ) -> impl Iterator<Item = Option<Self>> {
        let row = shape.samples * words(shape.neurons);
        let (active, values) = errors.map(|x| (x.active, x.values)).unzip();
        let of_words = |span: Span| span.words(shape.neurons);
        let of_places = |span: Span| {
            let words = span.words(shape.neurons);
            words.start * WORD_BITS..words.end * WORD_BITS
        };
        let active = split_columns(active, row, spans, of_words);
        let values = split_columns(values, row * WORD_BITS, spans, of_places);
        let pairs = active.zip(values);
        pairs.map(|(active, values)| {
            active
                .zip(values)
                .map(|(active, values)| Self { active, values })
        })
    }

    /// Writes the errors of a tile at a step.
    #[inline(always)]
    pub(super) fn write<S: Simd>(
        &mut self,
        simd: S,
        step: usize,
        (span, tile): (Span, Tile),
        errors: &[S::F32; TILE],
    ) {
        let words = tile.words_of(span, self.active.row(step));
        let values = &mut self.values.row(step)[tile.first - span.first..];
        let values = values.chunks_exact_mut(WORD_BITS);
        let errors = errors.chunks(WORD_BITS / S::LANES);
        let last = (tile.width - 1) % WORD_BITS + 1;
        let count = words.len();
        for (w, ((word, values), errors)) in words.iter_mut().zip(values).zip(errors).enumerate() {
            let (mut bits, mut end) = (0, 0);
            for (i, &error) in errors.iter().enumerate() {
                let active = simd.to_bits(simd.nonzero(error));
                simd.compress(&mut values[end..], active, error);
                bits |= active << (i * S::LANES);
                end += active.count_ones() as usize;
            }
            // Lanes beyond the last neuron hold anything, behind all others.
            let neurons = if w + 1 == count { last } else { WORD_BITS };
            *word = bits & u64::MAX >> (WORD_BITS - neurons);
        }
    }
}

impl Layer<'_> {
    /// By how much the gradient of the current decays from a step to the one before, if that is all
    /// that later steps add to a step's own error: see [`backward_with_errors`](super::backward_with_errors).
    #[must_use]
    pub fn decay(&self) -> Option<f32> {
        struct Decay;
        impl NeuronVisitor for Decay {
            type Output = Option<usize>;
            fn visit<N: Neuron>(self) -> Option<usize> {
                N::DECAY.filter(|_| N::FILTERS)
            }
        }
        let decay = self.parameters.get(self.neuron.visit(Decay)?)?;
        let shared = !decay.per_neuron && (decay.sample == 0 || self.shape.samples == 1);
        let erased = self.reset.mechanism == Mechanism::Zero;
        decay.data.first().copied().filter(|_| shared && !erased)
    }
}
