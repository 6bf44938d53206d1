//! A layer of neurons in integers, one step.

use super::super::super::Error;
use super::super::super::builder::Builder;
use super::super::super::fields::Fields;
use super::super::super::memory::Memory;
use super::super::super::values::{Kind, Value};
use crate::integer::{Decay, Excess, Firing, Membranes, Rounding};
use crate::neuron::{Mechanism, Reset};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::{padded, words};
use alloc::format;
use alloc::vec;
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
    /// For each state, with its factors, 0 if it has none: a padded row.
    decays: Vec<(Decay, Vec<i32>)>,
    current: Value,
    /// What the layer sends to itself, beside the current.
    recurrent: Option<Value>,
    /// The first state.
    states: Value,
    /// How the last state fires, and where its spikes go.
    firing: Option<(Firing, Value)>,
}

impl Neurons {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
        dynamics: Dynamics,
    ) -> Result<Self, Error> {
        let name = fields.text("in")?;
        let current = builder.value_of(fields, "in", &name, &[Kind::Integers])?;
        let keys = dynamics.decays().iter();
        let decays = keys
            .map(|key| decay(builder, fields, key, &current.shape))
            .collect::<Result<Vec<_>, _>>()?;
        let mut op = Self {
            decays,
            states: current.clone(),
            current,
            recurrent: None,
            firing: None,
        };
        let mut firing = None;
        if dynamics != Dynamics::Integrator {
            firing = Some(op.read_firing(builder, fields, dynamics)?);
        }
        let names = fields.texts("state")?;
        let count = op.decays.len();
        if names.len() != count {
            return Err(fields.value("state", &format!("a list of {count} names")));
        }
        let bounds = fields.bounds(op.bounds(builder, firing.as_ref()))?;
        op.states = builder.buffer(Kind::Integers, &op.current.shape, count)?;
        builder.bounds.set(&op.states, bounds);
        for (plane, name) in names.into_iter().enumerate() {
            let state = Value {
                plane,
                ..op.states.clone()
            };
            builder.name(&name, state.clone())?;
            builder.keep(name, &state, 1);
        }
        if let Some(firing) = firing {
            let spikes = builder.define(output, Kind::Spikes, &op.current.shape)?;
            op.firing = Some((firing, spikes));
        } else {
            builder.name(output, op.states.clone())?;
        }
        Ok(op)
    }

    /// Reads the keys of neurons that fire.
    fn read_firing(
        &mut self,
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        dynamics: Dynamics,
    ) -> Result<Firing, Error> {
        let shape = &self.current.shape;
        let threshold = builder.integers(fields, "threshold", shape, i32::MAX)?;
        let least = i32::from(fields.choice("fire_at", &["gt", "ge"])? == 1);
        let mechanism = RESETS[fields.choice("reset", &RESETS.map(Mechanism::name))?];
        let reset = Reset {
            mechanism,
            immediate: !fields.bool("reset_delay")?,
        };
        fields.choice("order", &["integrate_first"])?;
        if let Some(name) = fields.text_or_null("recurrent")? {
            let recurrent = builder.value_of(fields, "recurrent", &name, &[Kind::Integers])?;
            if recurrent.shape != *shape {
                let expected = format!("a value of shape {shape:?}");
                return Err(fields.value("recurrent", &expected));
            }
            self.recurrent = Some(recurrent);
        }
        let neurons = self.current.neurons;
        builder.reserve(2 * neurons)?;
        let mut limits = threshold.row(neurons);
        limits.iter_mut().for_each(|limit| *limit -= least);
        // Those behind the last neuron never fire.
        limits.resize(padded(neurons), i32::MAX);
        let mut amounts = match mechanism {
            Mechanism::Subtract => threshold.row(neurons),
            _ => vec![0; neurons],
        };
        amounts.resize(padded(neurons), 0);
        Ok(Firing {
            reset,
            erases_current: dynamics == Dynamics::Synaptic || self.recurrent.is_some(),
            limits,
            amounts,
        })
    }

    /// The largest magnitude of any state of each neuron.
    fn bounds(&self, builder: &Builder<'_>, firing: Option<&Firing>) -> Result<Vec<u32>, Excess> {
        let currents = builder.bounds.of(&self.current);
        let recurrent = self
            .recurrent
            .as_ref()
            .map(|value| builder.bounds.of(value));
        let last = self.decays.len() - 1;
        let of_neuron = |neuron: usize| {
            let mut input = u64::from(currents[neuron]);
            input += recurrent.as_ref().map_or(0, |bounds| bounds[neuron].into());
            let mut largest = 0;
            for (state, (decay, factors)) in self.decays.iter().enumerate() {
                let amount = firing
                    .filter(|_| state == last)
                    .map_or(0, |x| x.amounts[neuron]);
                input = decay.bound(factors[neuron], input, amount.unsigned_abs().into());
                largest = input.max(largest);
            }
            Excess::check(neuron, largest)
        };
        (0..self.current.neurons).map(of_neuron).collect()
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut states = core::mem::take(&mut memory.integers[self.states.slot]);
        let mut spikes = match &self.firing {
            Some((_, spikes)) => core::mem::take(&mut memory.spikes[spikes.slot]),
            None => Vec::new(),
        };
        dispatch(
            isa,
            Step {
                op: self,
                memory,
                states: &mut states,
                spikes: &mut spikes,
            },
        );
        memory.integers[self.states.slot] = states;
        if let Some((_, value)) = &self.firing {
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
) -> Result<(Decay, Vec<i32>), Error> {
    let neurons = shape.iter().product();
    builder.reserve(neurons)?;
    let mut factors = vec![0; padded(neurons)];
    let Some(mut keys) = fields.object(key)? else {
        return Ok((Decay::None, factors));
    };
    let rounding = keys.choice("round", &Rounding::ALL.map(Rounding::name))?;
    let rounding = Rounding::ALL[rounding];
    let decay = if keys.has("shift") {
        let bits = keys.integer("shift", [0, Decay::BITS.into()])? as u32;
        Decay::Shift { bits, rounding }
    } else {
        let limit = (1 << Decay::SHARES) - 1;
        let factor = builder.integers(&mut keys, "multiply", shape, limit)?;
        factors[..neurons].copy_from_slice(&factor.row(neurons));
        Decay::Multiply { rounding }
    };
    keys.finish()?;
    Ok((decay, factors))
}

/// A step of all samples.
struct Step<'a> {
    op: &'a Neurons,
    memory: &'a Memory,
    states: &'a mut [i32],
    spikes: &'a mut [u64],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            op,
            memory,
            states,
            spikes,
        } = self;
        let (samples, neurons) = (memory.samples, op.current.neurons);
        let (row, row_words) = (padded(neurons), words(neurons));
        for sample in 0..samples {
            let of_sample = sample * row..(sample + 1) * row;
            for (plane, (decay, factors)) in op.decays.iter().enumerate() {
                // A synapse, which already holds the present current, drives the membrane.
                let (before, states) = states.split_at_mut(plane * samples * row);
                let currents = match plane.checked_sub(1) {
                    None => memory.integers_of(&op.current),
                    Some(driving) => &before[driving * samples * row..],
                };
                let recurrent = op.recurrent.as_ref().filter(|_| plane == 0);
                let recurrent = recurrent.map(
                    #[inline(always)]
                    |value| &memory.integers_of(value)[of_sample.clone()],
                );
                let membranes = Membranes {
                    neurons,
                    decay: *decay,
                    factors,
                    states: &mut states[of_sample.clone()],
                    currents: &currents[of_sample.clone()],
                    recurrent,
                };
                let firing = op.firing.as_ref().filter(|_| plane + 1 == op.decays.len());
                match firing {
                    None => membranes.integrate(simd),
                    Some((firing, _)) => {
                        let spikes = &mut spikes[sample * row_words..][..row_words];
                        membranes.fire(simd, firing, spikes);
                    }
                }
            }
        }
    }
}
