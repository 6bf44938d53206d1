//! The formats, their names, and how one is recognised.

use super::Error;
use super::aedat2::{Chip, Convention};
use super::compression::Compression;
use super::header::{self, Mark};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
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

    /// The format of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        named(
            "format",
            name,
            &Self::ALL.map(|format| (format.name(), format)),
        )
    }

    /// The format of a file that begins with these bytes; `None` if more of them are needed.
    ///
    /// # Errors
    /// [`Error::Unrecognised`] if it is none of those that begin with a header;
    /// [`Error::Unsupported`] if it is a version that is not read here.
    ///
    /// ```
    /// use bitspike::events::Format;
    /// assert_eq!(Format::of(b"#!AER-DAT4.0\r\n"), Ok(Some(Format::Aedat4)));
    /// assert!(Format::of(&[3, 4, 5, 6, 7]).is_err());
    /// ```
    pub fn of(bytes: &[u8]) -> Result<Option<Self>, Error> {
        const AEDAT: &[u8] = b"#!AER-DAT";
        match bytes {
            [] => Ok(None),
            [b'#', ..] => {
                let Some(version) = bytes.strip_prefix(AEDAT) else {
                    return match AEDAT.starts_with(bytes) {
                        true => Ok(None),
                        false => Err(Error::Unrecognised),
                    };
                };
                let Some(version) = version.first_chunk::<3>() else {
                    return Ok(None);
                };
                match version {
                    b"2.0" => Ok(Some(Self::Aedat2)),
                    b"3.1" => Ok(Some(Self::Aedat31)),
                    b"4.0" => Ok(Some(Self::Aedat4)),
                    _ => Err(Error::Unsupported {
                        what: format!("AER-DAT {}", version.escape_ascii()),
                    }),
                }
            }
            [b'%', ..] => Self::of_prophesee(bytes),
            _ => Err(Error::Unrecognised),
        }
    }

    fn of_prophesee(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let lines = header::lines(Mark::Percent, bytes, false);
        let named = lines.texts.iter().find_map(|line| {
            let line = line.to_ascii_lowercase();
            let (key, value) = line.split_once(char::is_whitespace)?;
            let value = value.trim().split(';').next()?;
            matches!(key, "evt" | "format").then(|| value.trim_start_matches("evt").to_owned())
        });
        match named.as_deref() {
            Some("2" | "2.0") => Ok(Some(Self::Evt2)),
            Some("21" | "2.1") => Ok(Some(Self::Evt21)),
            Some("3" | "3.0") => Ok(Some(Self::Evt3)),
            Some(version) => Err(Error::Unsupported {
                what: format!("EVT {}", version.escape_debug()),
            }),
            None if !lines.is_complete => Ok(None),
            None if lines.texts.is_empty() => Err(Error::Unrecognised),
            None => Ok(Some(Self::Dat)),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The one of these that has the name.
pub(super) fn named<T: Copy>(
    kind: &'static str,
    name: &str,
    all: &[(&'static str, T)],
) -> Result<T, Error> {
    let found = all.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, value)| *value)
        .ok_or_else(|| Error::UnknownName {
            kind,
            name: name.chars().take(64).collect(),
            known: all
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// How a file is to be read, where it does not say so itself, or written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The format; by default it is recognised.
    pub format: Option<Format>,
    /// Of AER-DAT 2.0: the chip; by default that of the header, or [`Chip::Dvs128`].
    pub chip: Option<Chip>,
    /// Of AER-DAT 2.0: what the bits of an address say.
    pub convention: Convention,
    /// Of EVT 2.1: whether the high half of a word comes first; by default as the header says.
    pub high_first: Option<bool>,
    /// Of AER-DAT 4.0 that is written: how its packets are compressed.
    pub compression: Compression,
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its format.
    pub format: Format,
    /// Width and height of the sensor in pixels.
    pub size: Option<(u16, u16)>,
    /// When the recording began, as the header has it.
    pub start: Option<String>,
}

/// What was found in a file besides its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many events there were.
    pub events: u64,
    /// Events that were left out: without a time or a row, marked as invalid, or of no pixel.
    pub dropped: u64,
    /// Records of other kinds: triggers, frames, what a vendor adds.
    pub ignored: u64,
    /// Bytes at the end that are no whole record.
    pub tail: u64,
}
