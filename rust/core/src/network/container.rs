//! Tensors and texts in one file: the layout of safetensors, read with every size checked.
//!
//! Eight bytes of length, a JSON header of that length, and the numbers of all tensors, little-endian,
//! without gaps or overlap. The header names each tensor's type, shape and place, and keeps texts
//! under `__metadata__`.

use super::Error;
use super::json::Json;
use super::tensor::{Dtype, Tensor};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Range;
use sha2::{Digest, Sha256};

/// Longest header that is read.
const HEADER: usize = 4 << 20;
const METADATA: &str = "__metadata__";

/// A file: texts by their names, and tensors as they lie one behind another.
#[derive(Debug)]
pub(super) struct Container<'a> {
    texts: Vec<(String, String)>,
    tensors: Vec<Tensor<'a>>,
    /// The place of each tensor in the list.
    places: BTreeMap<String, usize>,
}

impl<'a> Container<'a> {
    pub(super) fn new(texts: Vec<(String, String)>, tensors: Vec<Tensor<'a>>) -> Self {
        let names = tensors.iter().map(|tensor| tensor.name.clone());
        Self {
            places: names.zip(0..).collect(),
            texts,
            tensors,
        }
    }

    /// The same tensors under other texts.
    pub(super) fn with_texts(self, texts: Vec<(String, String)>) -> Self {
        Self { texts, ..self }
    }

    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let Some((length, rest)) = bytes.split_first_chunk() else {
            return Err(broken("it is shorter than the length of its header"));
        };
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > HEADER {
            return Err(Error::Limit {
                what: "the length of the header",
                limit: HEADER,
            });
        }
        let Some((header, data)) = rest.split_at_checked(length) else {
            return Err(broken("it is shorter than its header"));
        };
        let Json::Object(entries) = Json::parse("the header", header)? else {
            return Err(broken("its header is no object"));
        };
        let (mut texts, mut tensors) = (Vec::new(), Vec::new());
        for (name, entry) in entries {
            if name == METADATA {
                texts = metadata(entry)?;
            } else {
                tensors.push(tensor(name, entry)?);
            }
        }
        tensors.sort_unstable_by(|(a, of_a), (b, of_b)| {
            (of_a.start, of_a.end, &a.name).cmp(&(of_b.start, of_b.end, &b.name))
        });
        let mut end = 0;
        let tensors = tensors
            .into_iter()
            .map(|(tensor, place)| {
                if place.start != end || place.end > data.len() {
                    return Err(misplaced(&tensor.name));
                }
                end = place.end;
                let data = &data[place];
                Ok(Tensor { data, ..tensor })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if end != data.len() {
            return Err(broken("it goes on behind its last tensor"));
        }
        Ok(Self::new(texts, tensors))
    }

    /// The text of that name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut texts = self.texts.iter();
        let found = texts.find(|(text, _)| text == name);
        found.map(|(_, text)| text.as_str())
    }

    /// Refuses a file of another format.
    pub(super) fn expect_format(&self, expected: &'static str) -> Result<(), Error> {
        match self.text("format") {
            Some(found) if found == expected => Ok(()),
            found => Err(Error::Format {
                expected,
                found: found.unwrap_or("").chars().take(64).collect(),
            }),
        }
    }

    /// The tensor of that name.
    pub(super) fn tensor(&self, name: &str) -> Result<&Tensor<'a>, Error> {
        let place = self.places.get(name).ok_or_else(|| Error::Tensor {
            name: name.to_owned(),
            problem: "is missing".to_owned(),
        })?;
        Ok(&self.tensors[*place])
    }

    /// The SHA-256, in hexadecimal, of a text and of all tensors: each as a length and its bytes, for a
    /// tensor name, type, shape and numbers.
    pub(super) fn digest(&self, text: &str) -> String {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(text.as_bytes());
        for tensor in &self.tensors {
            add(tensor.name.as_bytes());
            add(tensor.dtype.name().as_bytes());
            let sizes = tensor.shape.iter().map(|&size| (size as u64).to_le_bytes());
            add(&sizes.collect::<Vec<_>>().concat());
            add(tensor.data);
        }
        let mut hex = String::new();
        for byte in hash.finalize() {
            write(&mut hex, format_args!("{byte:02x}"));
        }
        hex
    }

    /// The bytes that [`read`](Self::read) reads.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut header = String::from("{\"__metadata__\":{");
        for (i, (name, text)) in self.texts.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write(
                &mut header,
                format_args!("{comma}{}:{}", Json::quoted(name), Json::quoted(text)),
            );
        }
        header.push('}');
        let mut end = 0;
        for Tensor {
            name,
            dtype,
            shape,
            data,
        } in &self.tensors
        {
            let (start, dtype) = (end, dtype.name());
            end += data.len();
            let name = Json::quoted(name);
            write(
                &mut header,
                format_args!(
                    ",{name}:{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}"
                ),
            );
        }
        header.push('}');
        // Tensors begin at a multiple of eight bytes, as other readers like it.
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        for tensor in &self.tensors {
            bytes.extend_from_slice(tensor.data);
        }
        bytes
    }
}

/// A string takes all that is written to it.
fn write(to: &mut String, text: core::fmt::Arguments<'_>) {
    to.write_fmt(text).expect("a string takes everything");
}

fn metadata(entry: Json) -> Result<Vec<(String, String)>, Error> {
    let problem = || broken("its metadata are no texts");
    let Json::Object(entries) = entry else {
        return Err(problem());
    };
    let text = |(name, text)| match text {
        Json::Text(text) => Ok((name, text)),
        _ => Err(problem()),
    };
    entries.into_iter().map(text).collect()
}

/// A tensor without its numbers, and their place behind the header.
fn tensor(name: String, entry: Json) -> Result<(Tensor<'static>, Range<usize>), Error> {
    let refused = |problem: &str| Error::Tensor {
        name: name.clone(),
        problem: problem.to_owned(),
    };
    let Json::Object(entries) = entry else {
        return Err(refused("is no object in the header"));
    };
    let (mut dtype, mut shape, mut place) = (None, None, None);
    for (key, value) in entries {
        match (key.as_str(), value) {
            ("dtype", Json::Text(text)) => {
                let mut all = Dtype::ALL.into_iter();
                dtype =
                    Some(all.find(|dtype| dtype.name() == text).ok_or_else(|| {
                        refused(&format!("has dtype {text:?}, which no op reads"))
                    })?);
            }
            ("shape", Json::List(list)) => shape = sizes(&list),
            ("data_offsets", Json::List(list)) => place = sizes(&list),
            _ => return Err(refused(&format!("has an odd {key:?} in the header"))),
        }
    }
    let (Some(dtype), Some(shape), Some(place)) = (dtype, shape, place) else {
        return Err(refused("lacks its dtype, shape or data_offsets"));
    };
    let mut sizes = shape.iter();
    let bytes = sizes.try_fold(dtype.bytes(), |product, &size| product.checked_mul(size));
    match place[..] {
        [start, end] if start <= end && Some(end - start) == bytes => {
            let tensor = Tensor {
                name,
                dtype,
                shape,
                data: &[],
            };
            Ok((tensor, start..end))
        }
        _ => Err(refused("has offsets that do not fit its shape")),
    }
}

fn sizes(list: &[Json]) -> Option<Vec<usize>> {
    let size = |size: &Json| match size {
        Json::Integer(size) => usize::try_from(*size).ok(),
        _ => None,
    };
    list.iter().map(size).collect()
}

fn broken(problem: &str) -> Error {
    Error::Container {
        problem: problem.to_owned(),
    }
}

fn misplaced(name: &str) -> Error {
    Error::Tensor {
        name: name.to_owned(),
        problem: "overlaps another, or leaves a gap, or reaches beyond the file".to_owned(),
    }
}
