//! One step of a network.

use super::values::{Kind, Value};
use super::{Error, Network, State};
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use alloc::borrow::ToOwned;
use alloc::format;
use core::ops::ControlFlow;

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

/// What a step has computed.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    network: &'a Network,
    state: &'a State,
}

impl Network {
    /// Runs one step of all samples. It allocates nothing and locks nothing.
    ///
    /// # Errors
    /// If the input does not fit the network and the state; then the state is as before.
    pub fn step<'a>(&'a self, state: &'a mut State, input: Input<'_>) -> Result<Output<'a>, Error> {
        state.check(self)?;
        self.enter(state, input)?;
        let memory = &mut state.memory;
        for op in &self.graph.ops {
            op.run(self.isa, memory);
        }
        for (value, kept) in &self.graph.previous {
            match value.kind {
                Kind::Spikes => {
                    let mut to = core::mem::take(&mut memory.spikes[kept.slot]);
                    to.copy_from_slice(memory.spikes_of(value));
                    memory.spikes[kept.slot] = to;
                }
                Kind::Numbers => {
                    let mut to = core::mem::take(&mut memory.numbers[kept.slot]);
                    to.copy_from_slice(memory.numbers_of(value));
                    memory.numbers[kept.slot] = to;
                }
            }
        }
        for (value, counts) in &self.graph.counted {
            let mut to = core::mem::take(&mut memory.numbers[counts.slot]);
            let rows = memory.spikes_of(value).chunks_exact(words(value.neurons));
            for (spikes, counts) in rows.zip(to.chunks_exact_mut(padded(value.neurons))) {
                for (w, &word) in spikes.iter().enumerate() {
                    let mut rest = word;
                    while rest != 0 {
                        counts[w * WORD_BITS + rest.trailing_zeros() as usize] += 1.0;
                        rest &= rest - 1;
                    }
                }
            }
            memory.numbers[counts.slot] = to;
        }
        memory.step += 1;
        Ok(Output {
            network: self,
            state,
        })
    }

    /// Runs steps over a sequence of spikes, `[T, B, words(N)]`, until `visit` breaks: it sees the
    /// output of each step, counted from 0.
    ///
    /// # Errors
    /// As [`step`](Self::step), or if the words are no whole number of steps.
    pub fn run<R>(
        &self,
        state: &mut State,
        sequence: &[u64],
        mut visit: impl FnMut(usize, Output<'_>) -> ControlFlow<R>,
    ) -> Result<Option<R>, Error> {
        let row = state.memory.samples * words(self.graph.input.neurons);
        if !sequence.len().is_multiple_of(row) {
            return Err(Error::Input {
                problem: format!(
                    "has {} words, no whole number of {row} a step",
                    sequence.len()
                ),
            });
        }
        for (step, words) in sequence.chunks_exact(row).enumerate() {
            let output = self.step(state, Input::Words(words))?;
            if let ControlFlow::Break(result) = visit(step, output) {
                return Ok(Some(result));
            }
        }
        Ok(None)
    }

    /// What the last step of a state has computed.
    ///
    /// # Errors
    /// If the state is that of another network.
    pub fn output<'a>(&'a self, state: &'a State) -> Result<Output<'a>, Error> {
        state.check(self)?;
        Ok(Output {
            network: self,
            state,
        })
    }

    /// Writes the input to its place.
    fn enter(&self, state: &mut State, input: Input<'_>) -> Result<(), Error> {
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
                let is_spike = |x: &f32| *x == 0.0 || *x == 1.0;
                if value.kind == Kind::Spikes && !numbers.iter().all(is_spike) {
                    return refused(
                        "has numbers that are not 0 or 1, and must be spikes".to_owned(),
                    );
                }
            }
        }
        match value.kind {
            Kind::Spikes => set_spikes(value, &mut state.memory.spikes[value.slot], input),
            Kind::Numbers => set_numbers(value, &mut state.memory.numbers[value.slot], input),
        }
        Ok(())
    }
}

/// Writes an input that has been checked, as spikes.
fn set_spikes(value: &Value, to: &mut [u64], input: Input<'_>) {
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
        Input::Dense(numbers) => {
            let rows = to.chunks_exact_mut(row).zip(numbers.chunks_exact(neurons));
            for (to, numbers) in rows {
                for (word, numbers) in to.iter_mut().zip(numbers.chunks(WORD_BITS)) {
                    let bits = numbers.iter().enumerate();
                    *word = bits.fold(0, |word, (i, &x)| word | u64::from(x != 0.0) << i);
                }
            }
        }
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

impl<'a> Output<'a> {
    /// The spikes of a value as rows of words, `[B, words(N)]`; None if it is no value of spikes.
    #[must_use]
    pub fn spikes(&self, name: &str) -> Option<&'a [u64]> {
        let value = self.value(name, Kind::Spikes)?;
        Some(self.state.memory.spikes_of(value))
    }

    /// The numbers of a value, an output or a state, for a sample; None if it is no value of numbers.
    #[must_use]
    pub fn numbers(&self, name: &str, sample: usize) -> Option<&'a [f32]> {
        let value = self.value(name, Kind::Numbers)?;
        self.row(value, sample)
    }

    /// How often each neuron of an output has fired since the reset, for a sample: exact up to 2²⁴.
    #[must_use]
    pub fn counts(&self, name: &str, sample: usize) -> Option<&'a [f32]> {
        let value = self.value(name, Kind::Spikes)?;
        let mut counted = self.network.graph.counted.iter();
        let (_, counts) = counted.find(|(counted, _)| counted == value)?;
        self.row(counts, sample)
    }

    /// Steps since the reset, this one included.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.memory.step
    }

    fn value(&self, name: &str, kind: Kind) -> Option<&'a Value> {
        let value = self.network.graph.values.get(name)?;
        (value.kind == kind).then_some(value)
    }

    fn row(&self, value: &Value, sample: usize) -> Option<&'a [f32]> {
        let mut rows = self
            .state
            .memory
            .numbers_of(value)
            .chunks_exact(padded(value.neurons));
        rows.nth(sample).map(|row| &row[..value.neurons])
    }
}
