//! Layers with owned buffers, filled from a source of numbers.

use bitspike::neuron::Reset;
use bitspike::registry::NeuronKind;
use bitspike::sequence::Layer;
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
        let len = 1 + reach + if per_neuron { last(neurons) } else { 0 };
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

/// A layer of leaky neurons.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) reset: Reset,
    pub(crate) shape: Shape,
    pub(crate) current: View,
    pub(crate) beta: View,
    pub(crate) threshold: View,
    pub(crate) graded: View,
    pub(crate) initial: View,
}

impl Case {
    /// A layer whose parameters share a layout.
    pub(crate) fn new(
        reset: Reset,
        shape: Shape,
        current: Layout,
        parameters: Layout,
        numbers: &mut impl Numbers,
    ) -> Self {
        let mut view = |layout, quantity| View::new(layout, shape, || numbers.next(quantity));
        Self {
            reset,
            shape,
            current: view(current, Quantity::Current),
            beta: view(parameters, Quantity::Decay),
            threshold: view(parameters, Quantity::Threshold),
            graded: view(parameters, Quantity::Graded),
            initial: view(parameters, Quantity::Membrane),
        }
    }

    pub(crate) fn layer(&self) -> Layer<'_> {
        Layer {
            neuron: NeuronKind::Leaky,
            reset: self.reset,
            shape: self.shape,
            current: self.current.strided(),
            parameters: vec![self.beta.strided()],
            threshold: self.threshold.strided(),
            graded_factor: self.graded.strided(),
            initial: vec![self.initial.strided()],
        }
    }

    /// Elements of `[T, B, N]`.
    pub(crate) fn len(&self) -> usize {
        self.shape.steps * self.row_len()
    }

    /// Elements of `[B, N]`.
    pub(crate) fn row_len(&self) -> usize {
        self.shape.samples * self.shape.neurons
    }
}

/// What a number stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Quantity {
    Current,
    Decay,
    Threshold,
    Graded,
    Membrane,
    Gradient,
}

/// A source of numbers.
pub(crate) trait Numbers {
    fn next(&mut self, quantity: Quantity) -> f32;
}

/// The same random numbers in every run, of which some can be extreme.
pub(crate) struct Random {
    pub(crate) state: u64,
    /// One in so many is extreme; 0 for none.
    pub(crate) extreme: u64,
}

impl Random {
    pub(crate) fn plain(seed: u64) -> Self {
        Self {
            state: seed,
            extreme: 0,
        }
    }

    fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 31
    }

    /// Uniform in `low..high`.
    pub(crate) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.word() >> 40) as f32 / (1u64 << 24) as f32)
    }
}

const EXTREMES: [f32; 13] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    1e-45,
    -1e-45,
    1e-40,
    0.0,
    -0.0,
    1.0,
    -1.0,
];

impl Numbers for Random {
    fn next(&mut self, quantity: Quantity) -> f32 {
        if self.extreme != 0 && self.word().is_multiple_of(self.extreme) {
            return EXTREMES[(self.word() % EXTREMES.len() as u64) as usize];
        }
        let (low, high) = match quantity {
            Quantity::Current => (-0.5, 1.1),
            Quantity::Decay => (0.3, 1.0),
            Quantity::Threshold => (0.5, 1.5),
            Quantity::Graded => (0.5, 2.0),
            Quantity::Membrane => (-1.0, 3.0),
            Quantity::Gradient => (-1.0, 1.0),
        };
        self.uniform(low, high)
    }
}
