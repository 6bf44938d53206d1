//! What enters a network at a step.

use super::values::{Kind, Value};
use super::{Error, Network, State};
use crate::simd::{Isa, Kernel, Simd, compiled_for, dispatch};
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use alloc::borrow::ToOwned;
use alloc::format;

/// What enters a network at a step.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The inputs that fire, in any order: input `n` of sample `b` is `b·N + n`.
    Events(&'a [u32]),
    /// Spikes as rows of words, `[B, words(N)]`.
    Words(&'a [u64]),
    /// Numbers, `[B, N]`; 0 or 1 where the network takes spikes.
    Dense(&'a [f32]),
}

impl Network {
    /// Writes the input to its place.
    pub(super) fn enter(&self, state: &mut State, input: Input<'_>) -> Result<(), Error> {
        let refused = |problem| Err(Error::Input { problem });
        let value = &self.graph.input;
        let (samples, neurons) = (state.memory.samples, value.neurons);
        match input {
            Input::Events(events) => {
                let limit = samples * neurons;
                if let Some(event) = events.iter().find(|event| **event as usize >= limit) {
                    return refused(format!("has event {event}, outside 0..{limit}"));
                }
            }
            Input::Words(row) => {
                let row_words = words(neurons);
                if row.len() != samples * row_words {
                    return refused(format!(
                        "has {} words; it must be {samples} rows of {row_words}",
                        row.len()
                    ));
                }
                let mut last = row.iter().skip(row_words - 1).step_by(row_words);
                if last.any(|word| word & !tail_mask(neurons) != 0) {
                    return Err(crate::Error::Padding { neurons }.into());
                }
            }
            Input::Dense(numbers) => {
                if numbers.len() != samples * neurons {
                    return refused(format!(
                        "has {} numbers; it must be {samples} rows of {neurons}",
                        numbers.len()
                    ));
                }
                if value.kind == Kind::Spikes && !are_spikes(self.isa, numbers) {
                    return refused(
                        "has numbers that are not 0 or 1, and must be spikes".to_owned(),
                    );
                }
            }
        }
        match value.kind {
            Kind::Spikes => {
                set_spikes(self.isa, value, &mut state.memory.spikes[value.slot], input);
            }
            Kind::Numbers => set_numbers(value, &mut state.memory.numbers[value.slot], input),
            Kind::Integers => unreachable!("no input is declared as integers"),
        }
        Ok(())
    }
}

/// Whether all numbers are 0 or 1.
fn are_spikes(isa: Isa, numbers: &[f32]) -> bool {
    compiled_for(
        isa,
        #[inline(always)]
        // Without an early end, which would keep it from being done in vectors.
        || {
            numbers
                .iter()
                .fold(true, |all, &x| all & (x == 0.0 || x == 1.0))
        },
    )
}

/// Sets the bits of the numbers that are not 0, in rows of words.
struct Nonzero<'a> {
    numbers: &'a [f32],
    neurons: usize,
    to: &'a mut [u64],
}

impl Kernel for Nonzero<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self.to.chunks_exact_mut(words(self.neurons));
        for (row, numbers) in rows.zip(self.numbers.chunks_exact(self.neurons)) {
            for (word, numbers) in row.iter_mut().zip(numbers.chunks(WORD_BITS)) {
                *word = 0;
                for (v, numbers) in numbers.chunks(S::LANES).enumerate() {
                    let bits = simd.to_bits(simd.nonzero(simd.load_partial(numbers)));
                    *word |= bits << (v * S::LANES);
                }
            }
        }
    }
}

/// Writes an input that has been checked, as spikes.
fn set_spikes(isa: Isa, value: &Value, to: &mut [u64], input: Input<'_>) {
    let (neurons, row) = (value.neurons, words(value.neurons));
    match input {
        Input::Words(words) => to.copy_from_slice(words),
        Input::Events(events) => {
            to.fill(0);
            for &event in events {
                let (sample, n) = (event as usize / neurons, event as usize % neurons);
                to[sample * row + n / WORD_BITS] |= 1 << (n % WORD_BITS);
            }
        }
        Input::Dense(numbers) => dispatch(
            isa,
            Nonzero {
                numbers,
                neurons,
                to,
            },
        ),
    }
}

/// Writes an input that has been checked, as numbers.
fn set_numbers(value: &Value, to: &mut [f32], input: Input<'_>) {
    let (neurons, row) = (value.neurons, padded(value.neurons));
    match input {
        Input::Dense(numbers) => {
            for (to, numbers) in to.chunks_exact_mut(row).zip(numbers.chunks_exact(neurons)) {
                to[..neurons].copy_from_slice(numbers);
            }
        }
        Input::Events(events) => {
            to.fill(0.0);
            for &event in events {
                to[event as usize / neurons * row + event as usize % neurons] = 1.0;
            }
        }
        Input::Words(spikes) => {
            let rows = to
                .chunks_exact_mut(row)
                .zip(spikes.chunks_exact(words(neurons)));
            for (to, spikes) in rows {
                for (n, to) in to.iter_mut().enumerate().take(neurons) {
                    *to = (spikes[n / WORD_BITS] >> (n % WORD_BITS) & 1) as f32;
                }
            }
        }
    }
}
