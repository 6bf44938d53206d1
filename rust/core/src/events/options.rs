//! How a file is read or written, and what is known of it then.

use super::chip::{Chip, Convention};
use super::compression::Compression;
use super::format::Format;
use alloc::string::String;

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
