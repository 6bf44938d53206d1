//! AER-DAT 3.1 of cAER, that of DVS-Gesture: a text header, then packets of events of one type,
//! little-endian. A packet has a header of 28 bytes:
//!
//! | bytes | | | |
//! |---|---|---|---|
//! | 0 | type, 16 bits | 12 | wraps of the time |
//! | 2 | source, 16 bits | 16 | capacity |
//! | 4 | size of an event | 20 | number of events |
//! | 8 | place of the time in an event | 24 | number of valid events |
//!
//! An event of a pixel, type 1, is eight bytes: bit 0 says whether it is valid, bit 1 is the polarity, bits
//! 2–16 are `y`, 17–31 are `x`, and bits 30–0 of the time follow.

use super::coder::{Decode, Encode, whole};
use super::header::{self, Mark};
use super::{Error, Event, Format, Meta, Report, Sink};
use alloc::string::String;
use alloc::vec::Vec;

const PACKET: usize = 28;
const RECORD: usize = 8;
const PIXELS: i16 = 1;
/// Bits of a time that an event holds.
const TIME: u32 = 31;
/// Bits of a coordinate.
const COORDINATE: u32 = 15;
/// Events of a packet that is written.
const EVENTS: usize = 4096;

/// Where a reader is in a packet.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In front of one.
    Between,
    /// In front of so many events of pixels, whose times have wrapped so often.
    Events { left: u64, wraps: i64 },
    /// In front of so many bytes of other events.
    Other { left: u64 },
}

/// Reads packets.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    place: Place,
    /// Bytes of the file in front of the next one.
    at: u64,
}

impl Decoder {
    /// The decoder of a file, behind its header and the bytes that it takes.
    pub(super) fn open(bytes: &[u8], is_all: bool) -> Result<Option<(Meta, usize, Self)>, Error> {
        let format = Format::Aedat31;
        let Some(lines) = header::read(format, Mark::Hash, bytes, is_all)? else {
            return Ok(None);
        };
        let is_begun = lines
            .texts
            .first()
            .is_some_and(|line| line == "!AER-DAT3.1");
        if !is_begun || lines.texts.last().is_none_or(|line| line != "!END-HEADER") {
            let problem = "it does not reach from #!AER-DAT3.1 to #!END-HEADER".into();
            return Err(Error::Header { format, problem });
        }
        let meta = Meta {
            format,
            size: header::camera(&lines),
            start: lines.start(),
        };
        let decoder = Self {
            place: Place::Between,
            at: lines.length as u64,
        };
        Ok(Some((meta, lines.length, decoder)))
    }

    /// What follows a header of a packet.
    fn packet(&self, header: &[u8; PACKET], report: &mut Report) -> Result<Place, Error> {
        let refused = |problem: &str| {
            let (at, problem) = (self.at, String::from(problem));
            Err(Error::Packet { at, problem })
        };
        let number = |i: usize| {
            let bytes = [header[i], header[i + 1], header[i + 2], header[i + 3]];
            i32::from_le_bytes(bytes)
        };
        let [size, place, wraps, capacity, count] = [4, 8, 12, 16, 20].map(number);
        let kind = i16::from_le_bytes([header[0], header[1]]);
        let (Ok(left), Ok(bytes)) = (u64::try_from(count), u64::try_from(size)) else {
            return refused("it has a negative number of events, or a negative size");
        };
        if count > capacity {
            return refused("it has more events than it has room for");
        }
        if kind != PIXELS {
            report.ignored += left;
            return Ok(Place::Other { left: left * bytes });
        }
        if size as usize != RECORD || place != 4 {
            return refused(
                "its events of pixels are not of eight bytes, the last four their time",
            );
        }
        match u32::try_from(wraps) {
            Ok(wraps) => Ok(Place::Events {
                left,
                wraps: wraps.into(),
            }),
            Err(_) => refused("its time has wrapped a negative number of times"),
        }
    }
}

impl Decode for Decoder {
    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error> {
        let mut rest = bytes;
        loop {
            let used = match &mut self.place {
                Place::Between => {
                    let Some((header, _)) = rest.split_first_chunk::<PACKET>() else {
                        return Ok(bytes.len() - rest.len());
                    };
                    self.place = self.packet(header, report)?;
                    PACKET
                }
                Place::Other { left } => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= skipped as u64;
                    if *left == 0 {
                        self.place = Place::Between;
                    } else if skipped == 0 {
                        return Ok(bytes.len() - rest.len());
                    }
                    skipped
                }
                Place::Events { left, wraps } => {
                    let (records, _) = whole::<RECORD>(rest);
                    let now = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(records.len());
                    for record in &records[..now] {
                        match event(*record, *wraps) {
                            Some(event) => {
                                report.events += 1;
                                sink.event(event);
                            }
                            None => report.dropped += 1,
                        }
                    }
                    *left -= now as u64;
                    if *left == 0 {
                        self.place = Place::Between;
                    } else if now == 0 {
                        return Ok(bytes.len() - rest.len());
                    }
                    now * RECORD
                }
            };
            self.at += used as u64;
            rest = &rest[used..];
        }
    }
}

/// The event of a record, if it is valid.
fn event([a, b, c, d, e, f, g, h]: [u8; RECORD], wraps: i64) -> Option<Event> {
    let address = u32::from_le_bytes([a, b, c, d]);
    let time = i32::from_le_bytes([e, f, g, h]);
    (address & 1 == 1 && time >= 0).then(|| Event {
        t: wraps << TIME | i64::from(time),
        x: (address >> 17) as u16,
        y: (address >> 2 & 0x7fff) as u16,
        p: address >> 1 & 1 == 1,
    })
}

/// Writes packets.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    size: Option<(u16, u16)>,
    /// How often the time has wrapped in the packet that is not written yet, and its events.
    wraps: i64,
    held: Vec<[u8; RECORD]>,
}

impl Encoder {
    pub(super) fn new(size: Option<(u16, u16)>) -> Self {
        Self {
            size,
            wraps: 0,
            held: Vec::new(),
        }
    }
}

impl Encode for Encoder {
    const FORMAT: Format = Format::Aedat31;

    fn limits(&self) -> [i64; 2] {
        [1 << COORDINATE; 2]
    }

    fn header(&self, out: &mut Vec<u8>) {
        out.extend(b"#!AER-DAT3.1\r\n#Format: RAW\r\n");
        if let Some(name) = self.size.and_then(header::camera_of_size) {
            out.extend(alloc::format!("#Source 1: {name}\r\n").bytes());
        }
        out.extend(b"#!END-HEADER\r\n");
    }

    fn event(&mut self, at: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error> {
        let wraps = event.t >> TIME;
        if i32::try_from(wraps).is_err() {
            return Err(self.gap(at));
        }
        if wraps != self.wraps || self.held.len() == EVENTS {
            self.flush(out)?;
            self.wraps = wraps;
        }
        let address = 1 | u32::from(event.p) << 1 | u32::from(event.y) << 2;
        let [a, b, c, d] = (address | u32::from(event.x) << 17).to_le_bytes();
        let [e, f, g, h] = (event.t as u32 & 0x7fff_ffff).to_le_bytes();
        self.held.push([a, b, c, d, e, f, g, h]);
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        let count = self.held.len() as i32;
        out.extend([PIXELS, 1].iter().flat_map(|x| x.to_le_bytes()));
        let numbers = [RECORD as i32, 4, self.wraps as i32, count, count, count];
        out.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
        out.extend(self.held.as_flattened());
        self.held.clear();
        Ok(())
    }
}
