//! Tensors that receive the values of a network.

use super::unknown;
use crate::buffer::{Written, dtype};
use crate::tensor::{Dtype, Tensor};
use bitspike::network::{self, Kind, Output};
use bitspike::spikes::layout::{WORD_BITS, words};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Where a value goes: words of spikes, numbers or integers.
pub(super) enum Target<'py> {
    Words(Written<'py, u64>),
    Numbers(Written<'py, f32>),
    Integers(Written<'py, i32>),
}

impl<'py> Target<'py> {
    /// A tensor with room for a value of so many samples; words, if it is of int64 and that of spikes.
    pub(super) fn of(
        network: &network::Network,
        name: &str,
        samples: usize,
        out: &Tensor<'py>,
    ) -> PyResult<Self> {
        let (shape, kind) = network.value(name).ok_or_else(|| unknown(name))?;
        let neurons = shape.iter().product();
        let (target, found, expected) = match (kind, dtype(out)?) {
            (Kind::Spikes, Some(Dtype::Int64)) => {
                let out = Written::of(out, name)?;
                let found = out.len();
                (Self::Words(out), found, samples * words(neurons))
            }
            (Kind::Integers, _) => {
                let out = Written::of(out, name)?;
                let found = out.len();
                (Self::Integers(out), found, samples * neurons)
            }
            _ => {
                let out = Written::of(out, name)?;
                let found = out.len();
                (Self::Numbers(out), found, samples * neurons)
            }
        };
        if found == expected {
            return Ok(target);
        }
        let message =
            format!("an output for {name:?} has {found} elements; it must have {expected}");
        Err(PyValueError::new_err(message))
    }

    /// Copies the value that lies under the name.
    pub(super) fn fill(&mut self, output: &Output<'_>, name: &str, samples: usize) {
        match (self, output.spikes(name)) {
            (Self::Words(out), Some(spikes)) => out.copy_from_slice(spikes),
            (Self::Numbers(out), Some(spikes)) => {
                let neurons = out.len() / samples;
                let rows = spikes.chunks_exact(words(neurons));
                for (row, out) in rows.zip(out.chunks_exact_mut(neurons)) {
                    for (&word, out) in row.iter().zip(out.chunks_mut(WORD_BITS)) {
                        for (bit, out) in out.iter_mut().enumerate() {
                            *out = (word >> bit & 1) as f32;
                        }
                    }
                }
            }
            (Self::Numbers(out), None) => copy_rows(out, samples, |b| output.numbers(name, b)),
            (Self::Integers(out), _) => copy_rows(out, samples, |b| output.integers(name, b)),
            (Self::Words(_), None) => unreachable!("words are of spikes"),
        }
    }
}

/// Copies a row of numbers for each sample.
pub(super) fn copy_rows<'a, T: Copy + 'a>(
    out: &mut [T],
    samples: usize,
    row: impl Fn(usize) -> Option<&'a [T]>,
) {
    for (sample, out) in out.chunks_exact_mut(out.len() / samples).enumerate() {
        out.copy_from_slice(row(sample).unwrap_or_default());
    }
}
