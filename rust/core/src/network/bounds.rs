//! How large the integers of a graph can become, while its ops are read.

use super::values::{Kind, Value};
use crate::integer::Factors;
use alloc::vec;
use alloc::vec::Vec;

/// What is known of each buffer of integers.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// The largest magnitude of each neuron.
    largest: Vec<Vec<u32>>,
    /// Buffers that hold no negative integers.
    naturals: Vec<usize>,
}

impl Bounds {
    /// A new buffer, of which nothing is known yet.
    pub(super) fn add_buffer(&mut self) {
        self.largest.push(Vec::new());
    }

    /// Notes the bound of each neuron of a value, if it is one of integers.
    pub(super) fn set(&mut self, value: &Value, bounds: Vec<u32>) {
        if value.kind == Kind::Integers {
            self.largest[value.slot] = bounds;
        }
    }

    /// Notes that the integers of a value are not negative.
    pub(super) fn set_natural(&mut self, value: &Value) {
        self.naturals.push(value.slot);
    }

    /// The largest magnitude of each neuron of spikes or integers.
    pub(super) fn of(&self, value: &Value) -> Vec<u32> {
        match value.kind {
            Kind::Integers => self.largest[value.slot].clone(),
            Kind::Spikes | Kind::Numbers => vec![1; value.neurons],
        }
    }

    /// What a product multiplies spikes or integers as.
    pub(super) fn factors(&self, value: &Value) -> Factors {
        if value.kind == Kind::Spikes {
            return Factors::Spikes;
        }
        let bounds = self.largest[value.slot].iter();
        Factors::Integers {
            largest: bounds.copied().max().unwrap_or(0),
            natural: self.naturals.contains(&value.slot),
        }
    }

    /// The largest magnitude of any neuron of each buffer.
    pub(super) fn limits(&self) -> Vec<u32> {
        let largest = |bounds: &Vec<u32>| bounds.iter().copied().max().unwrap_or(0);
        self.largest.iter().map(largest).collect()
    }
}
