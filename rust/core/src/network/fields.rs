//! The keys of an op, taken one by one: none has a default, and none may be left over.

use super::Error;
use super::json::Json;
use crate::integer::{Excess, LARGEST};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Most characters of an op's name and output in an error.
const SHOWN: usize = 64;

/// The keys of an object that have not been read yet.
#[derive(Debug)]
pub(super) struct Fields {
    /// What the object is, for errors.
    place: String,
    entries: Vec<(String, Json)>,
}

impl Fields {
    /// The keys of an object.
    pub(super) fn new(place: &str, object: Json) -> Result<Self, Error> {
        let place: String = place.chars().take(SHOWN).collect();
        match object {
            Json::Object(entries) => Ok(Self { place, entries }),
            _ => Err(Error::Json {
                what: "the graph",
                problem: format!("{place} is no object"),
            }),
        }
    }

    /// Calls the object by another name in errors.
    pub(super) fn rename(&mut self, op: &str, output: &str) {
        self.place = format!("{op} {output:?}").chars().take(SHOWN).collect();
    }

    /// The value of a key.
    pub(super) fn take(&mut self, key: &'static str) -> Result<Json, Error> {
        let found = self.entries.iter().position(|(name, _)| name == key);
        let found = found.ok_or_else(|| Error::MissingKey {
            place: self.place.clone(),
            key,
        })?;
        Ok(self.entries.swap_remove(found).1)
    }

    /// Adds a key that the object may not have.
    pub(super) fn set(&mut self, key: &'static str, value: Json) -> Result<(), Error> {
        if self.entries.iter().any(|(name, _)| name == key) {
            return Err(Error::UnsupportedKey {
                place: self.place.clone(),
                key: key.to_owned(),
            });
        }
        self.entries.push((key.to_owned(), value));
        Ok(())
    }

    /// Drops a key that this reader has no use for, if it is there.
    pub(super) fn skip(&mut self, key: &'static str) {
        self.entries.retain(|(name, _)| name != key);
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Result<String, Error> {
        match self.take(key)? {
            Json::Text(text) => Ok(text),
            _ => Err(self.value(key, "a text")),
        }
    }

    /// A text, or null.
    pub(super) fn text_or_null(&mut self, key: &'static str) -> Result<Option<String>, Error> {
        match self.take(key)? {
            Json::Text(text) => Ok(Some(text)),
            Json::Null => Ok(None),
            _ => Err(self.value(key, "a text or null")),
        }
    }

    /// One of these texts, as its place among them.
    pub(super) fn choice(&mut self, key: &'static str, known: &[&str]) -> Result<usize, Error> {
        let text = self.text(key)?;
        let found = known.iter().position(|known| *known == text);
        found.ok_or_else(|| self.value(key, &format!("one of {known:?}, and not {text:?}")))
    }

    /// A list.
    pub(super) fn list(&mut self, key: &'static str) -> Result<Vec<Json>, Error> {
        match self.take(key)? {
            Json::List(list) => Ok(list),
            _ => Err(self.value(key, "a list")),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<String>, Error> {
        let texts = self.list(key)?.into_iter().map(|text| match text {
            Json::Text(text) => Some(text),
            _ => None,
        });
        let texts: Option<_> = texts.collect();
        texts.ok_or_else(|| self.value(key, "a list of texts"))
    }

    /// A list of sizes.
    pub(super) fn sizes(&mut self, key: &'static str) -> Result<Vec<usize>, Error> {
        let sizes = self.list(key)?.into_iter().map(|size| match size {
            Json::Integer(size) => usize::try_from(size).ok(),
            _ => None,
        });
        let sizes: Option<_> = sizes.collect();
        sizes.ok_or_else(|| self.value(key, "a list of sizes"))
    }

    /// So many sizes.
    pub(super) fn array<const K: usize>(&mut self, key: &'static str) -> Result<[usize; K], Error> {
        let sizes = self.sizes(key)?;
        let sizes: Result<_, _> = sizes.try_into();
        sizes.map_err(|_| self.value(key, &format!("a list of {K} sizes")))
    }

    /// A size, at least 1 and at most `limit`.
    pub(super) fn size(&mut self, key: &'static str, limit: usize) -> Result<usize, Error> {
        match self.take(key)? {
            Json::Integer(size @ 1..) if size <= limit as u64 => Ok(size as usize),
            _ => Err(self.value(key, &format!("an integer in 1..={limit}"))),
        }
    }

    /// An integer of a range.
    pub(super) fn integer(&mut self, key: &'static str, range: [i64; 2]) -> Result<i64, Error> {
        let found = match self.take(key)? {
            Json::Integer(value) => i64::try_from(value).ok(),
            // Negative ones; the cast keeps those of a range within 2^53 as they are.
            Json::Number(value) if value as i64 as f64 == value => Some(value as i64),
            _ => None,
        };
        let [low, high] = range;
        let found = found.filter(|value| (low..=high).contains(value));
        found.ok_or_else(|| self.value(key, &format!("an integer in {low}..={high}")))
    }

    /// The keys of an object; None for null.
    pub(super) fn object(&mut self, key: &'static str) -> Result<Option<Self>, Error> {
        match self.take(key)? {
            Json::Null => Ok(None),
            Json::Object(entries) => Ok(Some(Self {
                place: self.place.clone(),
                entries,
            })),
            _ => Err(self.value(key, "an object or null")),
        }
    }

    /// Whether there is a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name == key)
    }

    /// A truth value.
    pub(super) fn bool(&mut self, key: &'static str) -> Result<bool, Error> {
        match self.take(key)? {
            Json::Bool(value) => Ok(value),
            _ => Err(self.value(key, "true or false")),
        }
    }

    /// A number.
    pub(super) fn number(&mut self, key: &'static str) -> Result<f64, Error> {
        match self.take(key)? {
            Json::Integer(value) => Ok(value as f64),
            Json::Number(value) => Ok(value),
            _ => Err(self.value(key, "a number")),
        }
    }

    /// Refuses keys that nobody has asked for.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.entries.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => Err(Error::UnsupportedKey {
                place: self.place,
                key,
            }),
        }
    }

    /// The error of a key whose value is not what it must be.
    pub(super) fn value(&self, key: &'static str, expected: &str) -> Error {
        Error::Value {
            place: self.place.clone(),
            key,
            expected: expected.to_owned(),
        }
    }

    /// Refuses an op in integers whose sums or states may become too large, or that says another bound
    /// of them than follows: returns the bound of each neuron.
    pub(super) fn bounds(&mut self, bounds: Result<Vec<u32>, Excess>) -> Result<Vec<u32>, Error> {
        let bounds = bounds.map_err(|excess| self.excess(excess, LARGEST))?;
        let bound = bounds.iter().copied().max().unwrap_or(0);
        let said = self.integer("acc_bound", [0, LARGEST as i64])?;
        if said != i64::from(bound) {
            return Err(self.value("acc_bound", &format!("the bound that follows, {bound}")));
        }
        Ok(bounds)
    }

    /// The error of a neuron that may become too large.
    pub(super) fn excess(&self, Excess { neuron, bound }: Excess, limit: u64) -> Error {
        Error::Bound {
            place: self.place.clone(),
            neuron,
            bound,
            limit,
        }
    }

    /// The error of shapes that do not fit.
    pub(super) fn shape(&self, problem: String) -> Error {
        Error::Shape {
            place: self.place.clone(),
            problem,
        }
    }
}
