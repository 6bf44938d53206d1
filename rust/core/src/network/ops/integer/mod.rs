//! Ops in integers: those that say `"arith": "i32"`. They take spikes or integers, and make these.

mod add;
mod conv;
mod linear;
mod neurons;
mod pool;
mod quantise;
mod weights;

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::json::Json;
use super::super::memory::Memory;
use super::super::scratch::Scratch;
use crate::simd::Isa;
use add::Add;
use alloc::format;
use alloc::string::String;
use conv::Conv;
use linear::Linear;
use neurons::{Dynamics, Neurons};
use pool::Pool;
use quantise::Quantise;

/// An op in integers.
#[derive(Debug)]
pub(in super::super) enum Integer {
    Quantise(Quantise),
    Linear(Linear),
    Conv(Conv),
    Pool(Pool),
    Add(Add),
    Neurons(Neurons),
}

impl Integer {
    /// Reads an op.
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        name: &str,
        out: &str,
    ) -> Result<Self, Error> {
        Ok(match name {
            "quantise" => Self::Quantise(Quantise::read(builder, fields, out)?),
            "linear" => Self::Linear(Linear::read(builder, fields, out)?),
            "conv1d" => Self::Conv(Conv::read(builder, fields, out, 1)?),
            "conv2d" => Self::Conv(Conv::read(builder, fields, out, 2)?),
            "sumpool" => Self::Pool(Pool::read(builder, fields, out, false)?),
            "maxpool" => Self::Pool(Pool::read(builder, fields, out, true)?),
            "add" => Self::Add(Add::read(builder, fields, out)?),
            "leaky" => Self::Neurons(Neurons::read(builder, fields, out, Dynamics::Leaky)?),
            "synaptic" => Self::Neurons(Neurons::read(builder, fields, out, Dynamics::Synaptic)?),
            "li" => Self::Neurons(Neurons::read(builder, fields, out, Dynamics::Integrator)?),
            "if" => {
                // A leaky neuron that loses nothing.
                fields.set("beta", Json::Null)?;
                Self::Neurons(Neurons::read(builder, fields, out, Dynamics::Leaky)?)
            }
            name => {
                let name: String = name.chars().take(64).collect();
                return Err(Error::UnsupportedOp {
                    op: format!("{name} of i32"),
                });
            }
        })
    }

    /// Runs the op for all samples.
    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        match self {
            Self::Quantise(op) => op.run(isa, memory),
            Self::Linear(op) => op.run(isa, memory),
            Self::Conv(op) => op.run(isa, memory),
            Self::Pool(op) => op.run(isa, memory),
            Self::Add(op) => op.run(isa, memory),
            Self::Neurons(op) => op.run(isa, memory),
        }
    }

    /// Memory of its own to work in.
    pub(super) fn scratch(&self) -> Option<Scratch> {
        match self {
            Self::Conv(op) => Some(op.scratch()),
            _ => None,
        }
    }
}
