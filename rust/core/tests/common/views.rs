//! Buffers and the numbers in them, for tests of sequences, recurrent layers and scans.

#![allow(dead_code, reason = "no test needs every layout and helper")]

use bitspike::tiling::{Shape, Strided};

/// How a view `[T, B, N]` lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One number for all.
    One,
    /// A number per neuron.
    Neuron,
    /// A number per sample.
    Sample,
    /// A number per sample and neuron.
    Each,
    /// `[T, B, N]` without gaps.
    Sequence,
    /// `[B, T, N]` without gaps.
    BatchFirst,
    /// `[T, B, N]` with unused numbers after every row.
    Padded,
    /// A number per step and sample.
    Step,
}

impl Layout {
    /// Those of parameters and states.
    pub(crate) const ONCE: [Self; 4] = [Self::One, Self::Neuron, Self::Sample, Self::Each];
    /// Those of sequences.
    pub(crate) const SEQUENCE: [Self; 5] = [
        Self::Sequence,
        Self::BatchFirst,
        Self::Padded,
        Self::Step,
        Self::Each,
    ];
}

/// A buffer and the strides of a view of it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) data: Vec<f32>,
    time: usize,
    sample: usize,
    per_neuron: bool,
}

impl View {
    pub(crate) fn new(layout: Layout, shape: Shape, fill: impl FnMut() -> f32) -> Self {
        let Shape {
            steps,
            samples,
            neurons,
        } = shape;
        let (time, sample, per_neuron) = match layout {
            Layout::One => (0, 0, false),
            Layout::Neuron => (0, 0, true),
            Layout::Sample => (0, 1, false),
            Layout::Each => (0, neurons, true),
            Layout::Sequence => (samples * neurons, neurons, true),
            Layout::BatchFirst => (neurons, steps * neurons, true),
            Layout::Padded => (samples * (neurons + 3), neurons + 3, true),
            Layout::Step => (samples, 1, false),
        };
        let last = |size: usize| size.saturating_sub(1);
        let reach = last(steps) * time + last(samples) * sample;
        let len = match layout {
            Layout::Sequence => steps * samples * neurons,
            _ => 1 + reach + if per_neuron { last(neurons) } else { 0 },
        };
        Self {
            data: std::iter::repeat_with(fill).take(len).collect(),
            time,
            sample,
            per_neuron,
        }
    }

    pub(crate) fn strided(&self) -> Strided<'_> {
        Strided {
            data: &self.data,
            time: self.time,
            sample: self.sample,
            per_neuron: self.per_neuron,
        }
    }

    /// Where an element lies in the buffer.
    pub(crate) fn offset(&self, step: usize, sample: usize, neuron: usize) -> usize {
        step * self.time + sample * self.sample + if self.per_neuron { neuron } else { 0 }
    }

    pub(crate) fn at(&self, step: usize, sample: usize, neuron: usize) -> f32 {
        self.data[self.offset(step, sample, neuron)]
    }
}

/// The same random numbers in every run.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 31
    }

    /// Uniform in `low..high`.
    pub(crate) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.word() >> 40) as f32 / (1u64 << 24) as f32)
    }
}

pub(crate) fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}
