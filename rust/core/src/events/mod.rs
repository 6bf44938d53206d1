//! Recordings of event cameras: files in, events or packed spikes out.
//!
//! An event is a time in microseconds, a pixel and a polarity. A [`Reader`] takes a file in pieces that are
//! cut anywhere and gives its events to a [`Sink`]. Nothing in a file makes it panic, or keep more than it
//! was given.
//!
//! | file | holds |
//! |---|---|
//! | `format`, `recognise`, `error` | the formats, and how one is recognised; what can be wrong |
//! | `options`, `chip`, `names` | how a file is read, and what is known of it |
//! | `columns` | events, and what takes them |
//! | `reader`, `writer` | files of all formats, piece by piece |
//! | `nmnist`, `aedat2`, `aedat31`, `aedat4`, `dat`, `evt2`, `evt21`, `evt3` | a format each: its bytes, read and written |
//! | `coder`, `clock`, `header` | what they share: whole records, wrapped times, headers of text |
//! | `flatbuffer`, `streams`, `compression` | what AER-DAT 4 is made of |
//! | `frames` | events to steps of bits or counts, and filters in front |

mod aedat2;
mod aedat31;
mod aedat4;
mod chip;
mod clock;
mod coder;
mod columns;
mod compression;
mod dat;
mod error;
mod evt2;
mod evt21;
mod evt3;
mod flatbuffer;
mod format;
mod frames;
mod header;
mod names;
mod nmnist;
mod options;
mod reader;
mod recognise;
mod streams;
mod writer;

pub use chip::{Chip, Convention};
pub use columns::{Columns, Event, Events, Sink, Span};
pub use compression::Compression;
pub use error::Error;
pub use format::Format;
pub use frames::{Cell, Crop, Filter, Filters, Frames, Layout, Placed, Polarity, Window, Within};
pub use options::{Meta, Options, Report};
pub use reader::{Reader, read};
pub use writer::{Writer, write};
