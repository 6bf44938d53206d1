//! What can be wrong with a recording, or with events that are to become one.

use super::Format;
use alloc::string::String;
use thiserror::Error;

/// Why a recording or events were refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The first bytes are not those of a known format.
    #[error(
        "the first bytes are of no known format; a file without a header, as those of N-MNIST, needs \
         its format named"
    )]
    Unrecognised,
    /// A format of a version that is not read here.
    #[error("{what} is not read here")]
    Unsupported {
        /// The format, or what of it.
        what: String,
    },
    /// No format, chip or convention has this name.
    #[error("there is no {kind} named {name:?}; known: {known}")]
    UnknownName {
        /// What was named.
        kind: &'static str,
        /// The name given.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A header is not one of its format.
    #[error("the header is not one of {format}: {problem}")]
    Header {
        /// The format.
        format: Format,
        /// What is wrong.
        problem: String,
    },
    /// A packet is not as its format has it.
    #[error("the packet at byte {at}: {problem}")]
    Packet {
        /// Where it begins.
        at: u64,
        /// What is wrong.
        problem: String,
    },
    /// Columns of events differ in length.
    #[error("t has {expected} events, but {what} has {found}")]
    Length {
        /// The column.
        what: &'static str,
        /// Its length.
        found: usize,
        /// That of the times.
        expected: usize,
    },
    /// A number that a format, or a sensor, has no room for.
    #[error("{what} of event {at} is {found}, outside 0..{limit}")]
    OutOfRange {
        /// The column.
        what: &'static str,
        /// The event.
        at: usize,
        /// The number.
        found: i64,
        /// One more than the largest number that fits.
        limit: i64,
    },
    /// Times that are to be written descend.
    #[error("the time of event {at} lies before that of the event in front of it")]
    Unordered {
        /// The event.
        at: usize,
    },
    /// A silence after which a reader of the format no longer knows the time.
    #[error("event {at} comes so long after the one in front of it that {format} loses the time")]
    Gap {
        /// The event.
        at: usize,
        /// The format.
        format: Format,
    },
    /// An option that makes no sense.
    #[error("{what} must be {expected}")]
    Option {
        /// The option.
        what: &'static str,
        /// What it must be.
        expected: String,
    },
    /// More than the caller allows.
    #[error("{what} would take {bytes} bytes, more than the limit of {limit}")]
    Limit {
        /// What would.
        what: &'static str,
        /// How many.
        bytes: u64,
        /// How many there may be.
        limit: u64,
    },
}
