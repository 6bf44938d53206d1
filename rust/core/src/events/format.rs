//! The formats and their names.

use core::fmt;

/// A file format of event cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// N-MNIST and N-Caltech101: ATIS events of five bytes, without a header.
    Nmnist,
    /// AER-DAT 2.0 of jAER.
    Aedat2,
    /// AER-DAT 3.1 of cAER, that of DVS-Gesture.
    Aedat31,
    /// AER-DAT 4.0 of DV.
    Aedat4,
    /// Prophesee's DAT.
    Dat,
    /// Prophesee's EVT 2.0.
    Evt2,
    /// Prophesee's EVT 2.1.
    Evt21,
    /// Prophesee's EVT 3.0.
    Evt3,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Nmnist,
        Self::Aedat2,
        Self::Aedat31,
        Self::Aedat4,
        Self::Dat,
        Self::Evt2,
        Self::Evt21,
        Self::Evt3,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nmnist => "nmnist",
            Self::Aedat2 => "aedat2",
            Self::Aedat31 => "aedat3.1",
            Self::Aedat4 => "aedat4",
            Self::Dat => "dat",
            Self::Evt2 => "evt2",
            Self::Evt21 => "evt2.1",
            Self::Evt3 => "evt3",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
