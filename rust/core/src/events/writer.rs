//! Recordings of all formats, written piece by piece.

use super::coder::Encode;
use super::{
    Columns, Error, Event, Format, Options, aedat2, aedat4, aedat31, dat, evt2, evt3, evt21, nmnist,
};
use alloc::vec::Vec;

/// Writes a recording whose events come in pieces, in the order of their times.
#[derive(Clone, Debug)]
pub struct Writer {
    records: Records,
    /// The time of the last event, and how many there were.
    last: i64,
    written: usize,
    is_begun: bool,
}

/// Writes the records of a format.
#[derive(Clone, Debug)]
enum Records {
    Nmnist(nmnist::Encoder),
    Aedat2(aedat2::Encoder),
    Aedat31(aedat31::Encoder),
    Aedat4(aedat4::Encoder),
    Dat(dat::Encoder),
    Evt2(evt2::Encoder),
    Evt21(evt21::Encoder),
    Evt3(evt3::Encoder),
}

impl Writer {
    /// A writer of a format, for a sensor of this width and height, if it is known.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a compression that was not compiled.
    pub fn new(format: Format, size: Option<(u16, u16)>, options: &Options) -> Result<Self, Error> {
        options.compression.check()?;
        let records = match format {
            Format::Nmnist => Records::Nmnist(nmnist::Encoder::default()),
            Format::Aedat2 => Records::Aedat2(aedat2::Encoder::new(options, size)),
            Format::Aedat31 => Records::Aedat31(aedat31::Encoder::new(size)),
            Format::Aedat4 => Records::Aedat4(aedat4::Encoder::new(options, size)),
            Format::Dat => Records::Dat(dat::Encoder::new(size)),
            Format::Evt2 => Records::Evt2(evt2::Encoder::new(size)),
            Format::Evt21 => {
                let high_first = options.high_first.unwrap_or(false);
                Records::Evt21(evt21::Encoder::new(size, high_first))
            }
            Format::Evt3 => Records::Evt3(evt3::Encoder::new(size)),
        };
        Ok(Self {
            records,
            last: 0,
            written: 0,
            is_begun: false,
        })
    }

    /// Appends events to what was written, and the header in front of the first ones.
    ///
    /// # Errors
    /// If an event has no place in the format: its coordinates or a silence are too large, or its time
    /// is negative or before the last one.
    pub fn write(&mut self, events: Columns<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.go_on(events.iter()?, false, out)
    }

    /// Appends what was held back.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.go_on(core::iter::empty(), true, out)
    }

    fn go_on(
        &mut self,
        events: impl Iterator<Item = Event>,
        is_all: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Self {
            records,
            last,
            written,
            is_begun,
        } = self;
        let piece = Piece {
            events,
            is_all,
            last,
            written,
            is_begun,
            out,
        };
        match records {
            Records::Nmnist(records) => piece.write(records),
            Records::Aedat2(records) => piece.write(records),
            Records::Aedat31(records) => piece.write(records),
            Records::Aedat4(records) => piece.write(records),
            Records::Dat(records) => piece.write(records),
            Records::Evt2(records) => piece.write(records),
            Records::Evt21(records) => piece.write(records),
            Records::Evt3(records) => piece.write(records),
        }
    }
}

/// Some events, and where they go.
struct Piece<'a, I> {
    events: I,
    is_all: bool,
    last: &'a mut i64,
    written: &'a mut usize,
    is_begun: &'a mut bool,
    out: &'a mut Vec<u8>,
}

impl<I: Iterator<Item = Event>> Piece<'_, I> {
    fn write(self, records: &mut impl Encode) -> Result<(), Error> {
        if !*self.is_begun {
            records.header(self.out);
            *self.is_begun = true;
        }
        let limits = records.limits();
        for event in self.events {
            let at = *self.written;
            for (what, found, limit) in [
                ("x", event.x.into(), limits[0]),
                ("y", event.y.into(), limits[1]),
                ("t", event.t, i64::MAX),
            ] {
                if found < 0 || found >= limit {
                    return Err(Error::OutOfRange {
                        what,
                        at,
                        found,
                        limit,
                    });
                }
            }
            if event.t < *self.last {
                return Err(Error::Unordered { at });
            }
            records.event(at, event, self.out)?;
            (*self.last, *self.written) = (event.t, at + 1);
        }
        if self.is_all {
            records.flush(self.out)
        } else {
            Ok(())
        }
    }
}

/// Writes a whole recording; [`read`](super::read) gives its events back.
///
/// # Errors
/// As [`Writer::write`].
pub fn write(
    events: Columns<'_>,
    format: Format,
    size: Option<(u16, u16)>,
    options: &Options,
) -> Result<Vec<u8>, Error> {
    let (mut writer, mut out) = (Writer::new(format, size, options)?, Vec::new());
    writer.write(events, &mut out)?;
    writer.finish(&mut out)?;
    Ok(out)
}
