//! The errors of a layer as lists, from which a product makes the gradient of its input.

use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::indices;
use crate::spikes::layout::{self, WORD_BITS};
use crate::tiling::{Shape, cut};
use alloc::vec::Vec;

/// Steps between two places where a call can be interrupted.
pub(crate) const STEPS: usize = 64;

/// The errors of a layer of neurons that are not 0, and how they make its gradient.
#[derive(Clone, Copy, Debug)]
pub struct FilteredErrors<'a> {
    /// Steps and samples, and the neurons that the product went to.
    pub shape: Shape,
    /// Whose error is not 0: a row of words for each step and sample, `[T, B, words]`, as of spikes.
    pub active: &'a [u64],
    /// The errors of the active neurons, side by side: for each sample and word `64·T` places, of which
    /// the first are filled, from the last step to the first, neurons ascending: `[B, words, 64·T]`.
    pub values: &'a [f32],
    /// `β`: the gradient of a step is its error and `β` times the gradient of the step after.
    pub decay: f32,
}

impl FilteredErrors<'_> {
    /// Checks all lengths, and returns how many rows of neurons there are: steps times samples.
    pub(crate) fn check(&self) -> Result<usize, Error> {
        let Shape {
            steps,
            samples,
            neurons,
        } = self.shape;
        let rows = Error::checked_product("active", &[steps, samples])?;
        layout::check_padded(self.active, rows, neurons)?;
        layout::check_indexable(neurons)?;
        let places = [rows, layout::padded(neurons)];
        Error::check_length("values", self.values.len(), &places)?;
        Ok(rows)
    }

    /// The lists of each sample, for errors that have been checked, of a layer that has neurons.
    pub(crate) fn lists(self, isa: Isa) -> Vec<ErrorLists> {
        let mut lists = Vec::new();
        lists.resize_with(self.shape.samples, ErrorLists::default);
        let items: Vec<_> = lists.iter_mut().enumerate().collect();
        parallel::for_each(items, self.values.len(), |(sample, lists)| {
            let extract = Extract {
                errors: self,
                sample,
                lists,
            };
            dispatch(isa, extract);
        });
        lists
    }
}

/// The errors of a sample, the last step first.
#[derive(Debug, Default)]
pub(crate) struct ErrorLists {
    /// Where the list of each step ends.
    pub(crate) ends: Vec<usize>,
    pub(crate) neurons: Vec<u32>,
    pub(crate) values: Vec<f32>,
}

/// Fills the lists of a sample.
struct Extract<'a, 'b> {
    errors: FilteredErrors<'a>,
    sample: usize,
    lists: &'b mut ErrorLists,
}

impl Kernel for Extract<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            errors,
            sample,
            lists,
        } = self;
        let Shape {
            steps,
            samples,
            neurons,
        } = errors.shape;
        let row_len = layout::words(neurons);
        let row = |step: usize| {
            let first = (step * samples + sample) * row_len;
            first..first + row_len
        };
        let mut total = 0;
        for step in 0..steps {
            let words = errors.active[row(step)].iter();
            total += words.map(|word| word.count_ones() as usize).sum::<usize>();
        }
        lists.ends.reserve(steps);
        lists.neurons.resize(total + indices::SLACK, 0);
        lists.values.resize(total + WORD_BITS, 0.0);
        let capacity = steps * WORD_BITS;
        let values = &errors.values[sample * row_len * capacity..][..row_len * capacity];
        // What is left of each word's places.
        let mut rests: Vec<_> = values.chunks_exact(capacity).collect();
        let mut end = 0;
        for block in cut(0..steps, STEPS) {
            progress(2 * block.len() * row_len);
            for step in block.map(|step| steps - 1 - step) {
                let words = &errors.active[row(step)];
                let mut at = end;
                for (word, rest) in words.iter().zip(&mut rests) {
                    let count = word.count_ones() as usize;
                    let to = &mut lists.values[at..][..WORD_BITS];
                    for first in (0..count).step_by(S::LANES) {
                        match rest.get(first..first + S::LANES) {
                            Some(values) => simd.store(&mut to[first..], simd.load(values)),
                            None => to[first..count].copy_from_slice(&rest[first..count]),
                        }
                    }
                    *rest = &rest[count..];
                    at += count;
                }
                end = indices::append(words, &mut lists.neurons, end);
                lists.ends.push(end);
            }
        }
    }
}
