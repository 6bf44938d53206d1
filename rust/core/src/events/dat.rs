//! Prophesee's DAT: a text header, the type and the size of events, then eight bytes an event,
//! little-endian: the low 32 bits of the time, and `x`, `y` and polarity in 14, 14 and 4 bits.

use super::clock::Clock;
use super::coder::{Decode, Encode, whole};
use super::header::{Lines, Mark};
use super::{Error, Event, Format, Meta, Report, Sink, header};
use alloc::format;
use alloc::vec::Vec;

const RECORD: usize = 8;
/// The type of events of a contrast detector, and the older one of events with two coordinates.
const TYPES: [u8; 2] = [0x0c, 0x00];
const BITS: u32 = 14;

/// Reads records.
#[derive(Clone, Debug)]
pub(super) struct Decoder(Clock);

impl Decoder {
    /// The decoder of a file, behind its header and the bytes that it takes.
    pub(super) fn open(bytes: &[u8], is_all: bool) -> Result<Option<(Meta, usize, Self)>, Error> {
        let format = Format::Dat;
        let Some(lines) = header::read(format, Mark::Percent, bytes, is_all)? else {
            return Ok(None);
        };
        let refused = |problem| Err(Error::Header { format, problem });
        let (kind, size) = match bytes.get(lines.length..) {
            Some(&[kind, size, ..]) => (kind, size),
            _ if is_all => return refused("it ends before the type of its events".into()),
            _ => return Ok(None),
        };
        if !TYPES.contains(&kind) || usize::from(size) != RECORD {
            return refused(format!("its events are of type {kind} and {size} bytes"));
        }
        let meta = meta(format, &lines);
        Ok(Some((meta, lines.length + 2, Self(Clock::new(32)))))
    }
}

/// What a header of Prophesee says.
pub(super) fn meta(format: Format, lines: &Lines) -> Meta {
    Meta {
        format,
        size: lines.size(),
        start: lines.start(),
    }
}

impl Decode for Decoder {
    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error> {
        let (records, used) = whole::<RECORD>(bytes);
        for &[a, b, c, d, e, f, g, h] in records {
            let address = u32::from_le_bytes([e, f, g, h]);
            sink.event(Event {
                t: self.0.unwrap(u32::from_le_bytes([a, b, c, d]).into()),
                x: (address & 0x3fff) as u16,
                y: (address >> BITS & 0x3fff) as u16,
                p: address >> (2 * BITS) & 1 == 1,
            });
        }
        report.events += records.len() as u64;
        Ok(used)
    }
}

/// Writes records.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    clock: Clock,
    size: Option<(u16, u16)>,
}

impl Encoder {
    pub(super) fn new(size: Option<(u16, u16)>) -> Self {
        let clock = Clock::new(32);
        Self { clock, size }
    }
}

impl Encode for Encoder {
    const FORMAT: Format = Format::Dat;

    fn limits(&self) -> [i64; 2] {
        [1 << BITS; 2]
    }

    fn header(&self, out: &mut Vec<u8>) {
        out.extend(b"% Data file containing CD events.\n% Version 2\n");
        if let Some((width, height)) = self.size {
            out.extend(format!("% Width {width}\n% Height {height}\n").bytes());
        }
        out.extend([TYPES[0], RECORD as u8]);
    }

    fn event(&mut self, at: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error> {
        let time = event.t as u32;
        if self.clock.unwrap(time.into()) != event.t {
            return Err(self.gap(at));
        }
        let address = u32::from(event.x) | u32::from(event.y) << BITS;
        let address = address | u32::from(event.p) << (2 * BITS);
        out.extend(time.to_le_bytes());
        out.extend(address.to_le_bytes());
        Ok(())
    }
}
