//! A layer of neurons, one step.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::memory::Memory;
use super::super::parameter::Parameter;
use super::super::values::{Kind, Value};
use crate::neuron::{Current, FiringLanes, Mechanism, Neuron, Reset, Vectors, step};
use crate::registry::{NeuronKind, NeuronVisitor};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;

/// Neurons, what drives them, and where their states lie: planes of one buffer.
#[derive(Debug)]
pub(in super::super) struct Neurons {
    neuron: NeuronKind,
    reset: Reset,
    parameters: Vec<Parameter>,
    threshold: Parameter,
    current: Value,
    /// What the layer sends to itself, beside the current.
    recurrent: Option<Value>,
    /// The first state.
    states: Value,
    spikes: Option<Value>,
}

impl Neurons {
    /// Neurons that fire.
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
        neuron: NeuronKind,
    ) -> Result<Self, Error> {
        let current = builder.read(fields, "in")?;
        let mut parameter = |key| builder.parameter(fields, key, &current.shape);
        let keys = neuron.parameters().iter();
        let parameters = keys.map(|key| parameter(key)).collect::<Result<_, _>>()?;
        let threshold = parameter("threshold")?;
        let mechanism = fields.choice("reset", &Mechanism::ALL.map(Mechanism::name))?;
        let reset = Reset {
            mechanism: Mechanism::ALL[mechanism],
            immediate: !fields.bool("reset_delay")?,
        };
        neuron.check_reset(reset)?;
        fields.choice("fire_at", &["gt"])?;
        fields.choice("order", &["integrate_first"])?;
        let recurrent = match fields.text_or_null("recurrent")? {
            None => None,
            Some(name) => Some(recurrent(builder, fields, &name, &current, neuron)?),
        };
        let states = states(builder, fields, neuron.states().len(), &current)?;
        let spikes = builder.define(output, Kind::Spikes, &current.shape)?;
        Ok(Self {
            neuron,
            reset,
            parameters,
            threshold,
            current,
            recurrent,
            states,
            spikes: Some(spikes),
        })
    }

    /// A leaky integrator: a leaky neuron that never resets, of which the membrane is the output.
    pub(super) fn read_li(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
    ) -> Result<Self, Error> {
        let current = builder.read(fields, "in")?;
        let beta = builder.parameter(fields, "beta", &current.shape)?;
        let states = states(builder, fields, 1, &current)?;
        builder.name(output, states.clone())?;
        Ok(Self {
            neuron: NeuronKind::Leaky,
            reset: Reset {
                mechanism: Mechanism::None,
                immediate: false,
            },
            parameters: vec![beta],
            threshold: Parameter::Same(f32::INFINITY),
            current,
            recurrent: None,
            states,
            spikes: None,
        })
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut states = core::mem::take(&mut memory.numbers[self.states.slot]);
        let mut spikes = match &self.spikes {
            Some(spikes) => core::mem::take(&mut memory.spikes[spikes.slot]),
            None => Vec::new(),
        };
        self.neuron.visit(Fire {
            isa,
            op: self,
            memory,
            states: &mut states,
            spikes: &mut spikes,
        });
        memory.numbers[self.states.slot] = states;
        if let Some(value) = &self.spikes {
            memory.spikes[value.slot] = spikes;
        }
    }
}

fn recurrent(
    builder: &Builder<'_>,
    fields: &Fields,
    name: &str,
    current: &Value,
    neuron: NeuronKind,
) -> Result<Value, Error> {
    let value = builder.value_of(fields, "recurrent", name, Kind::FLOATS)?;
    if !neuron.has_recurrent_layers() {
        return Err(crate::Error::NotRecurrent {
            neuron: neuron.name(),
        }
        .into());
    }
    if value.shape == current.shape {
        return Ok(value);
    }
    Err(fields.value(
        "recurrent",
        &format!("a value of shape {:?}", current.shape),
    ))
}

/// Memory for so many states, named by the op.
fn states(
    builder: &mut Builder<'_>,
    fields: &mut Fields,
    count: usize,
    current: &Value,
) -> Result<Value, Error> {
    let names = fields.texts("state")?;
    if names.len() != count {
        return Err(fields.value("state", &format!("a list of {count} names")));
    }
    let first = builder.buffer(Kind::Numbers, &current.shape, count)?;
    for (plane, name) in names.into_iter().enumerate() {
        let state = Value {
            plane,
            ..first.clone()
        };
        builder.name(&name, state.clone())?;
        builder.keep(name, &state, 1);
    }
    builder.initial(fields, &first, count)?;
    Ok(first)
}

/// A step of all samples.
struct Fire<'a> {
    isa: Isa,
    op: &'a Neurons,
    memory: &'a Memory,
    states: &'a mut [f32],
    spikes: &'a mut [u64],
}

impl NeuronVisitor for Fire<'_> {
    type Output = ();

    fn visit<N: Neuron>(self) {
        // A step of a layer is short, and a third copy of each neuron would be a tenth of a program.
        let isa = self.isa.min(Isa::Avx2);
        dispatch(isa, Of(self, PhantomData::<N>));
    }
}

/// The same for one kind of neuron.
struct Of<'a, N>(Fire<'a>, PhantomData<N>);

impl<N: Neuron> Kernel for Of<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self(
            Fire {
                op,
                memory,
                states,
                spikes,
                ..
            },
            _,
        ) = self;
        // What a neuron does without is not compiled.
        let immediate = N::IMMEDIATE && op.reset.immediate;
        let (samples, neurons) = (memory.samples, op.current.neurons);
        let (row_words, row) = (words(neurons), padded(neurons));
        for sample in 0..samples {
            let external = memory.row(&op.current, sample);
            let recurrent = op.recurrent.as_ref().filter(|_| N::RECURRENT);
            let recurrent = recurrent.map(|value| memory.row(value, sample));
            for w in 0..row_words {
                let mut word = 0;
                let end = neurons.min((w + 1) * WORD_BITS);
                for first in (w * WORD_BITS..end).step_by(S::LANES) {
                    let parameters = N::Parameters::<S>::from_fn(
                        #[inline(always)]
                        |k| op.parameters[k].load(simd, first),
                    );
                    let threshold = op.threshold.load(simd, first);
                    let lanes =
                        FiringLanes::<S, N>::new(simd, op.reset.mechanism, parameters, threshold);
                    let at = sample * row + first;
                    let state = N::State::<S>::from_fn(
                        #[inline(always)]
                        |k| simd.load(&states[k * samples * row + at..]),
                    );
                    let external = external.numbers(simd, first);
                    let current = match recurrent {
                        Some(recurrent) => {
                            Current::recurrent(external, recurrent.numbers(simd, first))
                        }
                        None => Current::external(external),
                    };
                    let result = step::<S, N>(simd, &lanes, state, current, immediate);
                    for k in 0..N::STATES.len() {
                        let state = &mut states[k * samples * row + at..];
                        simd.store(state, result.state.as_ref()[k]);
                    }
                    word |= simd.to_bits(result.fired) << (first % WORD_BITS);
                }
                if w + 1 == row_words {
                    word &= tail_mask(neurons);
                }
                if let Some(to) = spikes.get_mut(sample * row_words + w) {
                    *to = word;
                }
            }
        }
    }
}
