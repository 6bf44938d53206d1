//! What flows between ops.

use crate::spikes::layout::{padded, words};
use alloc::vec::Vec;

/// What a value holds for each neuron.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bit: whether it fires.
    Spikes,
    /// A number in single precision.
    Numbers,
    /// An integer of 32 bits.
    Integers,
}

impl Kind {
    /// Those that come into a network, or from the step before.
    pub(super) const NAMES: [&'static str; 2] = [Self::Spikes.name(), Self::Numbers.name()];
    /// What ops in floats take.
    pub(super) const FLOATS: &'static [Self] = &[Self::Spikes, Self::Numbers];
    /// What sums in integers are of.
    pub(super) const WHOLE: &'static [Self] = &[Self::Spikes, Self::Integers];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Spikes => "spikes",
            Self::Numbers => "numbers",
            Self::Integers => "integers",
        }
    }

    /// The kind of that place among the [names](Self::NAMES).
    pub(super) const fn nth(n: usize) -> Self {
        if n == 0 { Self::Spikes } else { Self::Numbers }
    }
}

/// A value of a graph: its shape, without the batch, and its place in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) kind: Kind,
    pub(super) shape: Vec<usize>,
    pub(super) neurons: usize,
    /// Which of the buffers of its kind.
    pub(super) slot: usize,
    /// Which of the buffer's planes.
    pub(super) plane: usize,
}

/// Numbers of a row of so many neurons, and words.
pub(super) const fn row(kind: Kind, neurons: usize) -> usize {
    match kind {
        Kind::Spikes => words(neurons),
        Kind::Numbers | Kind::Integers => padded(neurons),
    }
}
