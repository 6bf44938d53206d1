//! What a network keeps between steps, and how it is saved.

use super::container::Container;
use super::memory::Memory;
use super::ops::Op;
use super::parameter::Parameter;
use super::tensor::{Dtype, Tensor};
use super::values::{Kind, Value, row};
use super::{Error, Network};
use crate::spikes::layout::{padded, tail_mask, words};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

const FORMAT: &str = "bitspike.state/1";

/// All memory of a network at work, for some samples: [`Network::state`] makes it.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) memory: Memory,
    /// That of the network.
    digest: String,
    initial: Arc<[(Value, Parameter)]>,
}

impl State {
    fn new(network: &Network, memory: Memory) -> Self {
        let mut state = Self {
            memory,
            digest: network.digest.clone(),
            initial: network.graph.initial.clone(),
        };
        state.reset();
        state
    }

    /// Refuses a state of another network.
    pub(super) fn check(&self, network: &Network) -> Result<(), Error> {
        if self.digest == network.digest {
            return Ok(());
        }
        Err(Error::State {
            problem: "is that of another network".to_owned(),
        })
    }

    /// How many samples it is for.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.memory.samples
    }

    /// Steps since the last reset.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.memory.step
    }

    /// As before the first step: states are initial ones, delays, previous values and counts 0.
    pub fn reset(&mut self) {
        self.memory.reset(&self.initial);
    }
}

impl Network {
    /// A state for so many samples, as before the first step: all the memory that steps need.
    ///
    /// # Errors
    /// If there are no samples, or more than fit in memory.
    pub fn state(&self, samples: usize) -> Result<State, Error> {
        self.memory(samples)?;
        let mut memory = Memory::new(&self.graph.sizes, samples);
        let scratch = self.graph.ops.iter().filter_map(Op::scratch);
        memory.convolutions.extend(scratch);
        Ok(State::new(self, memory))
    }

    /// How many bytes [`state`](Self::state) takes.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn memory(&self, samples: usize) -> Result<usize, Error> {
        let bytes = Memory::bytes(&self.graph.sizes, samples).filter(|_| samples > 0);
        bytes.ok_or_else(|| Error::State {
            problem: format!("cannot be one of {samples} samples"),
        })
    }

    /// Saves a state: what [`restore`](Self::restore) reads, a safetensors file of a tensor for each
    /// state, `[samples, *shape]`. Numbers lie without gaps, spikes as rows of words.
    ///
    /// # Errors
    /// If the state is that of another network.
    pub fn save(&self, state: &State) -> Result<Vec<u8>, Error> {
        state.check(self)?;
        let memory = &state.memory;
        let data: Vec<_> = self
            .planes()
            .map(|(_, value)| bytes(memory, &value))
            .collect();
        let tensors = self.planes().zip(&data).map(|((name, value), data)| {
            let (dtype, shape) = self.saved(&value, memory.samples);
            Tensor {
                name,
                dtype,
                shape,
                data,
            }
        });
        let texts = [
            ("format", FORMAT.to_owned()),
            ("digest", self.digest.clone()),
            ("samples", memory.samples.to_string()),
            ("step", memory.step.to_string()),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text));
        Ok(Container::new(texts.into(), tensors.collect()).write())
    }

    /// Sets a state to what was saved of one of the same network and as many samples: it goes on as
    /// that one would have.
    ///
    /// # Errors
    /// If the bytes are no such state; then this one is as before.
    pub fn restore(&self, state: &mut State, bytes: &[u8]) -> Result<(), Error> {
        state.check(self)?;
        let saved = Container::read(bytes)?;
        saved.expect_format(FORMAT)?;
        let refused = |problem: &str| Error::State {
            problem: problem.to_owned(),
        };
        if saved.text("digest") != Some(&self.digest) {
            return Err(refused("belongs to another network"));
        }
        let number = |name| saved.text(name).and_then(|text| text.parse::<u64>().ok());
        let memory = &mut state.memory;
        if number("samples") != Some(memory.samples as u64) {
            return Err(Error::State {
                problem: format!("is not one of {} samples", memory.samples),
            });
        }
        let step = number("step").ok_or_else(|| refused("has no number of steps"))?;
        for (name, value) in self.planes() {
            let tensor = saved.tensor(&name)?;
            let expected = self.saved(&value, memory.samples);
            if (tensor.dtype, &tensor.shape) != (expected.0, &expected.1) {
                return Err(tensor.problem(format!("must be {expected:?}")));
            }
            if value.kind == Kind::Integers {
                let limit = self.graph.limits[value.slot];
                if tensor.integers()?.iter().any(|x| x.unsigned_abs() > limit) {
                    return Err(tensor.problem(format!("exceeds {limit}, which it cannot")));
                }
            }
            if value.kind == Kind::Spikes {
                let mut rows = tensor.words()?.collect::<Vec<_>>();
                let last = rows.iter_mut().skip(words(value.neurons) - 1);
                let mut last = last.step_by(words(value.neurons));
                if last.any(|word| *word & !tail_mask(value.neurons) != 0) {
                    return Err(tensor.problem("has bits set behind its last neuron"));
                }
            }
        }
        memory.reset(&[]);
        memory.step = step;
        for (name, value) in self.planes() {
            let tensor = saved.tensor(&name)?;
            let len = memory.samples * row(value.kind, value.neurons);
            let plane = value.plane * len..(value.plane + 1) * len;
            match value.kind {
                Kind::Spikes => {
                    let to = &mut memory.spikes[value.slot][plane];
                    to.iter_mut()
                        .zip(tensor.words()?)
                        .for_each(|(to, word)| *to = word);
                }
                Kind::Numbers => {
                    let to =
                        memory.numbers[value.slot][plane].chunks_exact_mut(padded(value.neurons));
                    for (to, row) in to.zip(tensor.numbers()?.chunks_exact(value.neurons)) {
                        to[..value.neurons].copy_from_slice(row);
                    }
                }
                Kind::Integers => {
                    let to =
                        memory.integers[value.slot][plane].chunks_exact_mut(padded(value.neurons));
                    for (to, row) in to.zip(tensor.integers()?.chunks_exact(value.neurons)) {
                        to[..value.neurons].copy_from_slice(row);
                    }
                }
            }
        }
        Ok(())
    }

    /// The planes of all that outlives a step, with their names.
    fn planes(&self) -> impl Iterator<Item = (String, Value)> {
        self.graph.persistent.iter().flat_map(|kept| {
            (0..kept.planes).map(move |plane| {
                let name = match kept.planes {
                    1 => kept.name.clone(),
                    _ => format!("{}:{plane}", kept.name),
                };
                let plane = kept.value.plane + plane;
                (
                    name,
                    Value {
                        plane,
                        ..kept.value.clone()
                    },
                )
            })
        })
    }

    /// Type and shape of a saved plane.
    fn saved(&self, value: &Value, samples: usize) -> (Dtype, Vec<usize>) {
        match value.kind {
            Kind::Spikes => (Dtype::U64, vec![samples, words(value.neurons)]),
            Kind::Numbers => (Dtype::F32, [&[samples], &value.shape[..]].concat()),
            Kind::Integers => (Dtype::I32, [&[samples], &value.shape[..]].concat()),
        }
    }
}

/// A plane as bytes, little-endian, without gaps.
fn bytes(memory: &Memory, value: &Value) -> Vec<u8> {
    match value.kind {
        Kind::Spikes => memory
            .spikes_of(value)
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect(),
        Kind::Numbers => {
            let rows = memory.numbers_of(value).chunks_exact(padded(value.neurons));
            let numbers = rows.flat_map(|row| &row[..value.neurons]);
            numbers.flat_map(|number| number.to_le_bytes()).collect()
        }
        Kind::Integers => {
            let rows = memory
                .integers_of(value)
                .chunks_exact(padded(value.neurons));
            let integers = rows.flat_map(|row| &row[..value.neurons]);
            integers.flat_map(|integer| integer.to_le_bytes()).collect()
        }
    }
}
