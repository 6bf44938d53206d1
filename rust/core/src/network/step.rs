//! One step of a network.

use super::values::{Kind, Value};
use super::{Error, Input, Network, State};
use crate::spikes::layout::{WORD_BITS, padded, words};
use alloc::format;
use core::ops::ControlFlow;

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
            let [from, to] = [value, kept].map(|value| (value.slot, value.plane));
            memory.copy(value.kind, value.neurons, from, to);
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
        row(self.state.memory.numbers_of(value), value, sample)
    }

    /// The integers of a value, an output or a state, for a sample; None if it is no value of integers.
    #[must_use]
    pub fn integers(&self, name: &str, sample: usize) -> Option<&'a [i32]> {
        let value = self.value(name, Kind::Integers)?;
        row(self.state.memory.integers_of(value), value, sample)
    }

    /// How often each neuron of an output has fired since the reset, for a sample: exact up to 2²⁴.
    #[must_use]
    pub fn counts(&self, name: &str, sample: usize) -> Option<&'a [f32]> {
        let value = self.value(name, Kind::Spikes)?;
        let mut counted = self.network.graph.counted.iter();
        let (_, counts) = counted.find(|(counted, _)| counted == value)?;
        row(self.state.memory.numbers_of(counts), counts, sample)
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
}

/// The row of a sample, without padding.
fn row<'a, T>(rows: &'a [T], value: &Value, sample: usize) -> Option<&'a [T]> {
    let mut rows = rows.chunks_exact(padded(value.neurons));
    rows.nth(sample).map(|row| &row[..value.neurons])
}
