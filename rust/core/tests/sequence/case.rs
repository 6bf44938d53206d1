//! Layers with owned buffers, filled from a source of numbers.

use crate::views::{self, Layout, View};
use bitspike::neuron::Reset;
use bitspike::registry::NeuronKind;
use bitspike::sequence::Layer;
use bitspike::tiling::Shape;

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

/// Random numbers, of which some can be extreme.
pub(crate) struct Random {
    source: views::Random,
    /// One in so many is extreme; 0 for none.
    extreme: u64,
}

impl Random {
    pub(crate) fn plain(seed: u64) -> Self {
        Self::with_extremes(seed, 0)
    }

    pub(crate) fn with_extremes(seed: u64, extreme: u64) -> Self {
        Self {
            source: views::Random(seed),
            extreme,
        }
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
        if self.extreme != 0 && self.source.word().is_multiple_of(self.extreme) {
            return EXTREMES[(self.source.word() % EXTREMES.len() as u64) as usize];
        }
        let (low, high) = match quantity {
            Quantity::Current => (-0.5, 1.1),
            Quantity::Decay => (0.3, 1.0),
            Quantity::Threshold => (0.5, 1.5),
            Quantity::Graded => (0.5, 2.0),
            Quantity::Membrane => (-1.0, 3.0),
            Quantity::Gradient => (-1.0, 1.0),
        };
        self.source.uniform(low, high)
    }
}
