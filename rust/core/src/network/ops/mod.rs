//! The ops of a graph: how each is read from a file, and what it does at a step.

mod conv;
mod delay;
mod integer;
mod linear;
mod maps;
mod neurons;
mod pad;
mod patches;
mod pointwise;
mod pool;
mod product;

use super::Error;
use super::builder::Builder;
use super::fields::Fields;
use super::json::Json;
use super::memory::Memory;
use super::scratch::Scratch;
use super::values::Value;
use crate::registry::NeuronKind;
use crate::simd::Isa;
use alloc::vec;
use conv::Conv;
use delay::Delay;
use integer::Integer;
use linear::Linear;
use neurons::Neurons;
use pad::Pad;
use pointwise::Pointwise;
use pool::{Pool, Reduction};

/// An op whose inputs and outputs have their places in memory.
#[derive(Debug)]
pub(super) enum Op {
    Linear(Linear),
    Conv(Conv),
    Pad(Pad),
    Pool(Pool),
    Pointwise(Pointwise),
    Delay(Delay),
    Neurons(Neurons),
    Integer(Integer),
}

/// Reads an op, and defines what it makes. None if there is nothing to do for it at a step.
pub(super) fn read(builder: &mut Builder<'_>, op: Json) -> Result<Option<Op>, Error> {
    let mut fields = Fields::new("an op", op)?;
    let name = fields.text("op")?;
    let output = fields.text("out")?;
    fields.rename(&name, &output);
    let op = if fields.has("arith") {
        fields.choice("arith", &["i32"])?;
        Some(Op::Integer(Integer::read(
            builder,
            &mut fields,
            &name,
            &output,
        )?))
    } else {
        read_named(builder, &mut fields, &name, &output)?
    };
    fields.finish()?;
    Ok(op)
}

fn read_named(
    builder: &mut Builder<'_>,
    fields: &mut Fields,
    name: &str,
    out: &str,
) -> Result<Option<Op>, Error> {
    Ok(Some(match name {
        "linear" => Op::Linear(Linear::read(builder, fields, out)?),
        "conv1d" => Op::Conv(Conv::read(builder, fields, out, 1)?),
        "conv2d" => Op::Conv(Conv::read(builder, fields, out, 2)?),
        "pad" => Op::Pad(Pad::read(builder, fields, out)?),
        "sumpool" => Op::Pool(Pool::read(builder, fields, out, Reduction::Sum)?),
        "avgpool" => Op::Pool(Pool::read(builder, fields, out, Reduction::Mean)?),
        "maxpool" => Op::Pool(Pool::read(builder, fields, out, Reduction::Largest)?),
        "orpool" => Op::Pool(Pool::read(builder, fields, out, Reduction::Any)?),
        "add" => Op::Pointwise(Pointwise::read_add(builder, fields, out)?),
        "scale" => Op::Pointwise(Pointwise::read_scale(builder, fields, out)?),
        "threshold" => Op::Pointwise(Pointwise::read_threshold(builder, fields, out)?),
        "delay" => Op::Delay(Delay::read(builder, fields, out)?),
        "li" => Op::Neurons(Neurons::read_li(builder, fields, out)?),
        "if" => {
            // A leaky neuron that loses nothing.
            fields.set("beta", Json::Integer(1))?;
            Op::Neurons(Neurons::read(builder, fields, out, NeuronKind::Leaky)?)
        }
        "flatten" => {
            // The same numbers under another name.
            let input = builder.read_any(fields, "in")?;
            let shape = vec![input.neurons];
            builder.name(out, Value { shape, ..input })?;
            return Ok(None);
        }
        name => match NeuronKind::parse(name) {
            Ok(neuron) => Op::Neurons(Neurons::read(builder, fields, out, neuron)?),
            Err(_) => {
                let op = name.chars().take(64).collect();
                return Err(Error::UnsupportedOp { op });
            }
        },
    }))
}

impl Op {
    /// Runs the op for all samples.
    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        match self {
            Self::Linear(op) => op.run(isa, memory),
            Self::Conv(op) => op.run(isa, memory),
            Self::Pad(op) => op.run(memory),
            Self::Pool(op) => op.run(isa, memory),
            Self::Pointwise(op) => op.run(isa, memory),
            Self::Delay(op) => op.run(memory),
            Self::Neurons(op) => op.run(isa, memory),
            Self::Integer(op) => op.run(isa, memory),
        }
    }

    /// Memory of its own to work in.
    pub(super) fn scratch(&self) -> Option<Scratch> {
        match self {
            Self::Conv(op) => Some(op.scratch()),
            Self::Integer(op) => op.scratch(),
            _ => None,
        }
    }
}
