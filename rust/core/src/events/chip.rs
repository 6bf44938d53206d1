//! Chips of AER-DAT 2.0, and what the bits of their addresses mean.

use super::Error;
use super::names::named;

/// The chip of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chip {
    /// 128 × 128 pixels; bit 0 of an address is the polarity, bits 1–7 and 8–14 are the axes.
    Dvs128,
    /// 240 × 180 pixels; bit 11 of an address is the polarity, bits 12–21 are `x`, 22–30 are `y`. Addresses with
    /// bit 31 are of frames, those with bit 10 of triggers and inertial sensors.
    Davis240,
    /// 346 × 260 pixels, addresses as those of [`Chip::Davis240`].
    Davis346,
    /// 640 × 480 pixels, addresses as those of [`Chip::Davis240`].
    Davis640,
}

/// How the bits of an address become an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Convention {
    /// As they are: `x` is the lower axis of DVS128, and a set bit is ON.
    #[default]
    Address,
    /// As jAER shows them: `x` counts from the other side, and of DVS128 a set bit is OFF. `y` counts from
    /// the bottom.
    Jaer,
    /// As tonic has them: of DVS128, `x` is the upper axis.
    Tonic,
}

impl Chip {
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("dvs128", Self::Dvs128),
        ("davis240", Self::Davis240),
        ("davis346", Self::Davis346),
        ("davis640", Self::Davis640),
    ];

    /// The chip of that name: `dvs128`, `davis240`, `davis346` or `davis640`.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        named("chip", name, &Self::ALL)
    }

    /// Width and height.
    #[must_use]
    pub fn size(self) -> (u16, u16) {
        match self {
            Self::Dvs128 => (128, 128),
            Self::Davis240 => (240, 180),
            Self::Davis346 => (346, 260),
            Self::Davis640 => (640, 480),
        }
    }

    /// The chip of that width and height.
    pub(super) fn of_size(size: (u16, u16)) -> Option<Self> {
        let mut chips = Self::ALL.iter().map(|(_, chip)| *chip);
        chips.find(|chip| chip.size() == size)
    }
}

impl Convention {
    /// The convention of that name: `address`, `jaer` or `tonic`.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        let all = [
            ("address", Self::Address),
            ("jaer", Self::Jaer),
            ("tonic", Self::Tonic),
        ];
        named("convention", name, &all)
    }
}
