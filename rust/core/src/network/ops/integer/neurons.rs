//! A layer of neurons in integers, one step.

use super::super::super::Error;
use super::super::super::builder::Builder;
use super::super::super::fields::Fields;
use super::super::super::parameter::Parameter;
use super::super::super::values::{Kind, Memory, Value};
use crate::integer::{Decay, Excess, Firing, Rounding};
use crate::neuron::{Mechanism, Reset};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::{WORD_BITS, padded, tail_mask, words};
use alloc::format;
use alloc::vec::Vec;

/// Which equations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dynamics {
    Leaky,
    Synaptic,
    /// A leaky neuron that never fires, of which the membrane is the output.
    Integrator,
}

impl Dynamics {
    /// The keys of its decays, in the order of its states.
    const fn decays(self) -> &'static [&'static str] {
        match self {
            Self::Leaky | Self::Integrator => &["beta"],
            Self::Synaptic => &["alpha", "beta"],
        }
    }
}

/// The mechanisms that integers have.
const RESETS: [Mechanism; 3] = [Mechanism::Subtract, Mechanism::Zero, Mechanism::None];

/// Neurons, what drives them, and where their states lie: planes of one buffer.
#[derive(Debug)]
pub(in super::super::super) struct Neurons {
    dynamics: Dynamics,
    /// For each state, with its factors.
    decays: Vec<(Decay, Parameter<i32>)>,
    reset: Reset,
    threshold: Parameter<i32>,
    /// Membranes above it fire.
    limit: Parameter<i32>,
    current: Value,
    /// What the layer sends to itself, beside the current.
    recurrent: Option<Value>,
    /// The first state.
    states: Value,
    spikes: Option<Value>,
}

impl Neurons {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
        dynamics: Dynamics,
    ) -> Result<Self, Error> {
        let name = fields.text("in")?;
        let current = builder.value_of_integers(fields, "in", &name)?;
        let keys = dynamics.decays().iter();
        let decays = keys
            .map(|key| decay(builder, fields, key, &current.shape))
            .collect::<Result<Vec<_>, _>>()?;
        let mut op = Self {
            dynamics,
            decays,
            reset: Reset {
                mechanism: Mechanism::None,
                immediate: false,
            },
            threshold: Parameter::Same(0),
            limit: Parameter::Same(i32::MAX),
            states: current.clone(),
            current,
            recurrent: None,
            spikes: None,
        };
        if dynamics != Dynamics::Integrator {
            op.read_firing(builder, fields)?;
        }
        let names = fields.texts("state")?;
        let count = op.decays.len();
        if names.len() != count {
            return Err(fields.value("state", &format!("a list of {count} names")));
        }
        let bounds = fields.bounds(op.bounds(builder))?;
        op.states = builder.buffer(Kind::Integers, &op.current.shape, count)?;
        builder.bound(&op.states, bounds);
        for (plane, name) in names.into_iter().enumerate() {
            let state = Value {
                plane,
                ..op.states.clone()
            };
            builder.name(&name, state.clone())?;
            builder.keep(name, &state, 1);
        }
        if dynamics == Dynamics::Integrator {
            builder.name(output, op.states.clone())?;
        } else {
            op.spikes = Some(builder.define(output, Kind::Spikes, &op.current.shape)?);
        }
        Ok(op)
    }

    /// Reads the keys of neurons that fire.
    fn read_firing(&mut self, builder: &mut Builder<'_>, fields: &mut Fields) -> Result<(), Error> {
        let shape = &self.current.shape;
        self.threshold = builder.integers(fields, "threshold", shape, i32::MAX)?;
        let least = i32::from(fields.choice("fire_at", &["gt", "ge"])? == 1);
        self.limit = self.threshold.map(|threshold| threshold - least);
        let mechanism = fields.choice("reset", &RESETS.map(Mechanism::name))?;
        self.reset = Reset {
            mechanism: RESETS[mechanism],
            immediate: !fields.bool("reset_delay")?,
        };
        fields.choice("order", &["integrate_first"])?;
        if let Some(name) = fields.text_or_null("recurrent")? {
            let recurrent = builder.value_of_integers(fields, "recurrent", &name)?;
            if recurrent.shape != *shape {
                let expected = format!("a value of shape {shape:?}");
                return Err(fields.value("recurrent", &expected));
            }
            self.recurrent = Some(recurrent);
        }
        Ok(())
    }

    /// The largest magnitude of any state of each neuron.
    fn bounds(&self, builder: &Builder<'_>) -> Result<Vec<u32>, Excess> {
        let currents = builder.bounds(&self.current);
        let recurrent = self.recurrent.as_ref().map(|value| builder.bounds(value));
        let (membrane, before) = self.decays.split_last().unwrap_or_else(|| {
            unreachable!("each of these neurons has a membrane that decays")
        });
        let of_neuron = |neuron: usize| {
            let mut input = u64::from(currents[neuron]);
            input += recurrent.as_ref().map_or(0, |bounds| bounds[neuron].into());
            for (decay, factor) in before {
                input = decay.bound(factor.of(neuron), input, 0);
            }
            let threshold = match self.reset.mechanism {
                Mechanism::Subtract => self.threshold.of(neuron).unsigned_abs().into(),
                _ => 0,
            };
            let (decay, factor) = membrane;
            Excess::check(neuron, decay.bound(factor.of(neuron), input, threshold).max(input))
        };
        (0..self.current.neurons).map(of_neuron).collect()
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut states = core::mem::take(&mut memory.integers[self.states.slot]);
        let mut spikes = match &self.spikes {
            Some(spikes) => core::mem::take(&mut memory.spikes[spikes.slot]),
            None => Vec::new(),
        };
        dispatch(
            isa,
            Fire {
                op: self,
                memory,
                states: &mut states,
                spikes: &mut spikes,
            },
        );
        memory.integers[self.states.slot] = states;
        if let Some(value) = &self.spikes {
            memory.spikes[value.slot] = spikes;
        }
    }
}

/// A decay: null, or an object of `"shift"` or `"multiply"` with `"round"`.
fn decay(
    builder: &mut Builder<'_>,
    fields: &mut Fields,
    key: &'static str,
    shape: &[usize],
) -> Result<(Decay, Parameter<i32>), Error> {
    let Some(mut keys) = fields.object(key)? else {
        return Ok((Decay::None, Parameter::Same(0)));
    };
    let rounding = keys.choice("round", &Rounding::ALL.map(Rounding::name))?;
    let rounding = Rounding::ALL[rounding];
    let decay = if keys.has("shift") {
        let bits = keys.integer("shift", [0, Decay::BITS.into()])? as u32;
        (Decay::Shift { bits, rounding }, Parameter::Same(0))
    } else {
        let limit = (1 << Decay::SHARES) - 1;
        let factor = builder.integers(&mut keys, "multiply", shape, limit)?;
        (Decay::Multiply { rounding }, factor)
    };
    keys.finish()?;
    Ok(decay)
}

/// A step of all samples.
struct Fire<'a> {
    op: &'a Neurons,
    memory: &'a Memory,
    states: &'a mut [i32],
    spikes: &'a mut [u64],
}

impl Kernel for Fire<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (samples, neurons) = (self.memory.samples, self.op.current.neurons);
        let row_words = words(neurons);
        for sample in 0..samples {
            for w in 0..row_words {
                let mut word = 0;
                let end = neurons.min((w + 1) * WORD_BITS);
                for first in (w * WORD_BITS..end).step_by(S::LANES) {
                    let fired = self.vector(simd, sample, first);
                    word |= simd.to_bits(fired) << (first % WORD_BITS);
                }
                if w + 1 == row_words {
                    word &= tail_mask(neurons);
                }
                if let Some(to) = self.spikes.get_mut(sample * row_words + w) {
                    *to = word;
                }
            }
        }
    }
}

impl Fire<'_> {
    /// A step of one vector of neurons: which of them fire.
    #[inline(always)]
    fn vector<S: Simd>(&mut self, simd: S, sample: usize, first: usize) -> S::Mask {
        let Self {
            op,
            memory,
            states,
            ..
        } = self;
        let row = padded(op.current.neurons);
        let place = [0, 1].map(|plane| (plane * memory.samples + sample) * row + first);
        let current = memory.vector_of_integers(simd, &op.current, sample, first);
        let recurrent = op.recurrent.as_ref().map(
            #[inline(always)]
            |value| memory.vector_of_integers(simd, value, sample, first),
        );
        let firing = Firing {
            reset: op.reset,
            limit: op.limit.load(simd, first),
            threshold: op.threshold.load(simd, first),
        };
        let (decay, factor) = &op.decays[0];
        let factor = factor.load(simd, first);
        let state = simd.load_i32(&states[place[0]..]);
        let (state, fired) = match op.dynamics {
            Dynamics::Leaky | Dynamics::Integrator => {
                firing.leaky(simd, (*decay, factor), state, current, recurrent)
            }
            Dynamics::Synaptic => {
                let current = match recurrent {
                    Some(recurrent) => simd.add_i32(current, recurrent),
                    None => current,
                };
                let synapse = decay.onto(simd, factor, state, current);
                simd.store_i32(&mut states[place[0]..], synapse);
                let (decay, factor) = &op.decays[1];
                let factor = factor.load(simd, first);
                let u = simd.load_i32(&states[place[1]..]);
                let (u, fired) = firing.synaptic(simd, (*decay, factor), u, synapse);
                simd.store_i32(&mut states[place[1]..], u);
                return fired;
            }
        };
        simd.store_i32(&mut states[place[0]..], state);
        fired
    }
}
