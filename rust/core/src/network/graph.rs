//! The graph of a file, read op by op: names become places in memory, and shapes are checked.

use super::Error;
use super::builder::{Builder, PREVIOUS, Persistent};
use super::container::Container;
use super::fields::Fields;
use super::json::Json;
use super::memory::Sizes;
use super::ops::{self, Op};
use super::parameter::Parameter;
use super::values::{Kind, Value};
use crate::simd::Isa;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Longest text of a graph.
const TEXT: usize = 1 << 20;

/// A graph whose names and shapes fit.
#[derive(Debug)]
pub(super) struct Graph {
    /// Seconds per step.
    pub(super) dt: f64,
    pub(super) input: Value,
    pub(super) outputs: Vec<String>,
    /// In the order in which a step runs them.
    pub(super) ops: Vec<Op>,
    pub(super) values: BTreeMap<String, Value>,
    /// Values, and where they are kept for the next step.
    pub(super) previous: Vec<(Value, Value)>,
    /// Outputs that are spikes, and where they are counted.
    pub(super) counted: Vec<(Value, Value)>,
    /// What a state consists of.
    pub(super) persistent: Vec<Persistent>,
    /// States that are not 0 before the first step.
    pub(super) initial: Arc<[(Value, Parameter)]>,
    /// The largest magnitude in each buffer of integers.
    pub(super) limits: Vec<u32>,
    pub(super) sizes: Sizes,
}

impl Graph {
    /// Reads the text of a graph.
    pub(super) fn read(isa: Isa, text: &str, tensors: &Container<'_>) -> Result<Self, Error> {
        if text.len() > TEXT {
            return Err(Error::Limit {
                what: "the length of the graph",
                limit: TEXT,
            });
        }
        let mut fields = Fields::new("the graph", Json::parse("the graph", text.as_bytes())?)?;
        let dt = fields.number("dt")?;
        if !(dt > 0.0 && dt.is_finite()) {
            return Err(fields.value("dt", "a positive number of seconds"));
        }
        let mut builder = Builder::new(isa, tensors);
        let Ok([input]) = <[Json; 1]>::try_from(fields.list("inputs")?) else {
            return Err(fields.value("inputs", "a list of one input"));
        };
        let (name, kind, shape) = builder.declared("an input", input)?;
        let input = builder.define(&name, kind, &shape)?;
        let kept = fields.list("previous")?.into_iter();
        let kept = kept
            .map(|declared| keep_previous(&mut builder, declared))
            .collect::<Result<Vec<_>, _>>()?;
        let mut ops = Vec::new();
        for op in fields.list("ops")? {
            ops.extend(ops::read(&mut builder, op)?);
        }
        let previous = kept
            .into_iter()
            .map(|(name, kept)| match builder.value(&name)? {
                value if value.kind == kept.kind && value.shape == kept.shape => {
                    Ok((value.clone(), kept))
                }
                _ => Err(Error::Name {
                    name,
                    problem: "is not of the kind and shape that \"previous\" says",
                }),
            })
            .collect::<Result<_, _>>()?;
        let outputs = fields.texts("outputs")?;
        let mut counted: Vec<(Value, Value)> = Vec::new();
        for name in &outputs {
            let value = builder.value(name)?.clone();
            if value.kind == Kind::Spikes && counted.iter().all(|(known, _)| *known != value) {
                let counts = builder.buffer(Kind::Numbers, &value.shape, 1)?;
                builder.keep(format!("counts:{name}"), &counts, 1);
                counted.push((value, counts));
            }
        }
        fields.skip("extra");
        fields.finish()?;
        Ok(Self {
            dt,
            input,
            outputs,
            ops,
            limits: builder.bounds.limits(),
            values: builder.values,
            previous,
            counted,
            persistent: builder.persistent,
            initial: builder.initial.into(),
            sizes: builder.sizes,
        })
    }
}

/// The place where a declared value is kept for the next step, and the value's name.
fn keep_previous(builder: &mut Builder<'_>, declared: Json) -> Result<(String, Value), Error> {
    let (name, kind, shape) = builder.declared("a previous value", declared)?;
    let kept = builder.buffer(kind, &shape, 1)?;
    let previous = format!("{PREVIOUS}{name}");
    builder.keep(previous.clone(), &kept, 1);
    if builder.values.insert(previous, kept.clone()).is_some() {
        let problem = "is declared twice in \"previous\"";
        return Err(Error::Name { name, problem });
    }
    Ok((name, kept))
}
