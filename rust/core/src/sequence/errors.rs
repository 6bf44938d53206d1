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
    /// The errors of the active neurons, side by side: for each sample and word `64·T` places, of which
    /// the first are filled, from the last step to the first, neurons ascending: `[B, words, 64·T]`.
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

/// Most words of a tile.
const WORDS: usize = 2;

/// What one thread writes of [`Errors`].
#[derive(Debug)]
pub(super) struct ErrorColumns<'a> {
    active: Columns<'a, u64>,
    /// A single row.
    values: Columns<'a, f32>,
    /// Places of a word.
    capacity: usize,
    /// How many places of each word of the present tile are filled.
    ends: [usize; WORDS],
}

impl<'a> ErrorColumns<'a> {
    /// The part of each span.
    pub(super) fn split(
        errors: Option<Errors<'a>>,
        shape: Shape,
        spans: &[Span],
    ) -> impl Iterator<Item = Option<Self>> {
        let row = shape.samples * words(shape.neurons);
        let capacity = shape.steps * WORD_BITS;
        let (active, values) = errors.map(|x| (x.active, x.values)).unzip();
        let of_words = |span: Span| span.words(shape.neurons);
        let of_places = |span: Span| {
            let words = span.words(shape.neurons);
            words.start * capacity..words.end * capacity
        };
        let active = split_columns(active, row, spans, of_words);
        let values = split_columns(values, row * capacity, spans, of_places);
        active.zip(values).map(move |(active, values)| {
            Some(Self {
                active: active?,
                values: values?,
                capacity,
                ends: [0; WORDS],
            })
        })
    }

    /// Begins with the last step of a tile.
    pub(super) fn begin(&mut self) {
        self.ends = [0; WORDS];
    }

    /// Writes the errors of a tile at a step, the one before that of the last call.
    #[inline(always)]
    pub(super) fn write<S: Simd>(
        &mut self,
        simd: S,
        step: usize,
        (span, tile): (Span, Tile),
        errors: &[S::F32; TILE],
    ) {
        let words = tile.words_of(span, self.active.row(step));
        let first = (tile.first - span.first) / WORD_BITS * self.capacity;
        let values = &mut self.values.row(0)[first..];
        let last = (tile.width - 1) / WORD_BITS;
        let places = values.chunks_exact_mut(self.capacity).zip(&mut self.ends);
        let errors = errors.chunks(WORD_BITS / S::LANES).zip(places);
        for (w, (word, (errors, (places, end)))) in words.iter_mut().zip(errors).enumerate() {
            let width = if w == last {
                tile.width - w * WORD_BITS
            } else {
                WORD_BITS
            };
            // Lanes beyond the last neuron hold anything.
            let neurons = u64::MAX >> (WORD_BITS - width);
            let mut bits = 0;
            for (i, &error) in errors.iter().enumerate() {
                let active = simd.to_bits(simd.nonzero(error)) & neurons >> (i * S::LANES);
                simd.compress(&mut places[*end..], active, error);
                bits |= active << (i * S::LANES);
                *end += active.count_ones() as usize;
            }
            *word = bits;
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
