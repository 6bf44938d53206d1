//! What a spike does to the membrane.

use crate::Error;

/// How the membrane is reset; `R` is 1 where it stood above threshold before the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `u - R·θ`
    Subtract,
    /// The membrane is erased; [`super::Neuron::ZERO_KEEPS_INPUT`] says whether the input is too.
    Zero,
    /// No reset: a spiking integrator.
    None,
    /// `u - R·β·θ`
    SubtractBeta,
}

/// A mechanism, and when it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// What the reset does.
    pub mechanism: Mechanism,
    /// False: it acts one step after the spike (snnTorch's `reset_delay=True`). True: within the
    /// step that fires, and what is left of the delayed rule only covers membranes that came in
    /// above threshold.
    pub immediate: bool,
}

impl Mechanism {
    /// Every mechanism.
    pub const ALL: [Self; 4] = [Self::Subtract, Self::Zero, Self::None, Self::SubtractBeta];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subtract => "subtract",
            Self::Zero => "zero",
            Self::None => "none",
            Self::SubtractBeta => "subtract_beta",
        }
    }

    /// The mechanism of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`]
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name() == name)
            .ok_or_else(|| Error::UnknownName {
                kind: "reset mechanism",
                name: name.to_owned(),
                known: Self::ALL.map(Self::name).join(", "),
            })
    }
}
