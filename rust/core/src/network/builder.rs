//! Names, shapes and places of the values of a graph, while its ops are read.

use super::Error;
use super::bounds::Bounds;
use super::container::Container;
use super::fields::Fields;
use super::json::Json;
use super::memory::{Sizes, Slot};
use super::parameter::Parameter;
use super::values::{Kind, Value};
use crate::simd::Isa;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Before the name of a value: what it was one step earlier.
pub(super) const PREVIOUS: &str = "prev:";
/// Most numbers of all values, parameters and states of a network, for a sample.
const LIMIT: usize = 1 << 27;
/// Most axes of a value.
const AXES: usize = 8;

/// Planes of memory that outlive a step.
#[derive(Clone, Debug)]
pub(super) struct Persistent {
    pub(super) name: String,
    /// The first of the planes.
    pub(super) value: Value,
    pub(super) planes: usize,
}

/// What is known of a graph so far.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub(super) isa: Isa,
    pub(super) tensors: &'a Container<'a>,
    pub(super) values: BTreeMap<String, Value>,
    pub(super) sizes: Sizes,
    pub(super) persistent: Vec<Persistent>,
    /// States that are not 0 before the first step.
    pub(super) initial: Vec<(Value, Parameter)>,
    pub(super) bounds: Bounds,
    /// Numbers of all that has been reserved.
    reserved: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(isa: Isa, tensors: &'a Container<'a>) -> Self {
        Self {
            isa,
            tensors,
            values: BTreeMap::new(),
            sizes: Sizes::default(),
            persistent: Vec::new(),
            initial: Vec::new(),
            bounds: Bounds::default(),
            reserved: 0,
        }
    }

    /// Counts numbers that a network or its state will hold.
    pub(super) fn reserve(&mut self, numbers: usize) -> Result<(), Error> {
        self.reserved = self.reserved.saturating_add(numbers);
        if self.reserved > LIMIT {
            return Err(Error::Limit {
                what: "the number of all neurons, their parameters and states",
                limit: LIMIT,
            });
        }
        Ok(())
    }

    /// A buffer of so many planes, as a value of its first.
    pub(super) fn buffer(
        &mut self,
        kind: Kind,
        shape: &[usize],
        planes: usize,
    ) -> Result<Value, Error> {
        let sizes = shape.iter().chain([&planes]).copied();
        let all = sizes.fold(1, usize::saturating_mul);
        self.reserve(all)?;
        let slots = match kind {
            Kind::Spikes => &mut self.sizes.spikes,
            Kind::Numbers => &mut self.sizes.numbers,
            Kind::Integers => {
                self.bounds.add_buffer();
                &mut self.sizes.integers
            }
        };
        let neurons = all / planes;
        slots.push(Slot { planes, neurons });
        Ok(Value {
            kind,
            shape: shape.to_vec(),
            neurons,
            slot: slots.len() - 1,
            plane: 0,
        })
    }

    /// A new value with a buffer of its own.
    pub(super) fn define(
        &mut self,
        name: &str,
        kind: Kind,
        shape: &[usize],
    ) -> Result<Value, Error> {
        let value = self.buffer(kind, shape, 1)?;
        self.name(name, value.clone())?;
        Ok(value)
    }

    /// A new value of integers that stay below these bounds.
    pub(super) fn define_integers(
        &mut self,
        name: &str,
        shape: &[usize],
        bounds: Vec<u32>,
    ) -> Result<Value, Error> {
        let value = self.define(name, Kind::Integers, shape)?;
        self.bounds.set(&value, bounds);
        Ok(value)
    }

    /// Gives a value its name.
    pub(super) fn name(&mut self, name: &str, value: Value) -> Result<(), Error> {
        let refused = |problem| {
            Err(Error::Name {
                name: name.to_owned(),
                problem,
            })
        };
        if name.starts_with(PREVIOUS) {
            return refused("begins like a previous value");
        }
        match self.values.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => refused("is made twice"),
        }
    }

    /// Keeps the planes of a buffer from step to step.
    pub(super) fn keep(&mut self, name: String, value: &Value, planes: usize) {
        self.persistent.push(Persistent {
            name,
            value: value.clone(),
            planes,
        });
    }

    /// The value that a key of an op names.
    pub(super) fn read_any(&self, fields: &mut Fields, key: &'static str) -> Result<Value, Error> {
        let name = fields.text(key)?;
        self.value(&name).cloned()
    }

    /// The same, of an op in floats: spikes or numbers.
    pub(super) fn read(&self, fields: &mut Fields, key: &'static str) -> Result<Value, Error> {
        let name = fields.text(key)?;
        self.value_of(fields, key, &name, Kind::FLOATS)
    }

    /// The value of a name, which must be of one of these kinds.
    pub(super) fn value_of(
        &self,
        fields: &Fields,
        key: &'static str,
        name: &str,
        kinds: &[Kind],
    ) -> Result<Value, Error> {
        let value = self.value(name)?;
        if kinds.contains(&value.kind) {
            return Ok(value.clone());
        }
        let names = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>();
        let (expected, found) = (names.join(" or "), value.kind.name());
        Err(fields.value(key, &format!("{expected}, and not {found}")))
    }

    /// The values that an op adds: two or more of one shape and of these kinds.
    pub(super) fn terms(&self, fields: &mut Fields, kinds: &[Kind]) -> Result<Vec<Value>, Error> {
        let names = fields.texts("in")?.into_iter();
        let terms = names
            .map(|name| self.value_of(fields, "in", &name, kinds))
            .collect::<Result<Vec<_>, _>>()?;
        let [first, _, ..] = &terms[..] else {
            return Err(fields.value("in", "a list of two names or more"));
        };
        if let Some(other) = terms.iter().find(|term| term.shape != first.shape) {
            let shapes = format!("cannot add {:?} to {:?}", other.shape, first.shape);
            return Err(fields.shape(shapes));
        }
        Ok(terms)
    }

    /// The value of a name.
    pub(super) fn value(&self, name: &str) -> Result<&Value, Error> {
        self.values.get(name).ok_or_else(|| Error::Name {
            name: name.to_owned(),
            problem: "is read before it is made",
        })
    }

    /// A name, kind and shape that the graph declares, not 0.
    pub(super) fn declared(
        &self,
        place: &str,
        object: Json,
    ) -> Result<(String, Kind, Vec<usize>), Error> {
        let mut fields = Fields::new(place, object)?;
        let name = fields.text("name")?;
        let kind = Kind::nth(fields.choice("kind", &Kind::NAMES)?);
        let shape = fields.sizes("shape")?;
        if shape.is_empty() || shape.len() > AXES || shape.contains(&0) {
            return Err(fields.value("shape", "a list of 1 to 8 sizes, none of them 0"));
        }
        fields.finish()?;
        Ok((name, kind, shape))
    }

    /// The numbers of a tensor that must have this shape.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let tensor = self.tensors.tensor(name)?;
        if tensor.shape != shape {
            return Err(tensor.problem(format!(
                "has shape {:?}; it must be {shape:?}",
                tensor.shape
            )));
        }
        tensor.numbers()
    }
}
