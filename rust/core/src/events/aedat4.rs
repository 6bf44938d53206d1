//! AER-DAT 4.0 of DV: a line, a header, and packets, little-endian.
//!
//! The header is a FlatBuffer behind its length: the compression, the place of a table of all packets at
//! the end of the file, or -1, and an XML that names the streams. A packet is the number of its stream, its
//! size, and, compressed, a FlatBuffer behind its length: of a stream of events a vector of 16 bytes each,
//! time (64 bits), `x`, `y` (16 bits each) and polarity (8 bits).
//!
//! The events are those of the stream with the lowest number that has some.

use super::coder::{Decode, Encode, whole};
use super::compression::Compression;
use super::flatbuffer::Table;
use super::{Error, Event, Format, Meta, Options, Report, Sink, streams};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const MAGIC: &[u8] = b"#!AER-DAT4.0\r\n";
const RECORD: usize = 16;
/// Longest header.
const HEADER: usize = 1 << 24;
/// Bits of a coordinate, without its sign.
const COORDINATE: u32 = 15;
/// Events of a packet that is written.
const EVENTS: usize = 4096;

/// Reads packets.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    compression: Compression,
    stream: i32,
    /// Where the packets end; the end of the file if nothing says so.
    end: u64,
    /// Bytes of the file in front of the next one.
    at: u64,
}

impl Decoder {
    /// The decoder of a file, behind its header and the bytes that it takes.
    pub(super) fn open(bytes: &[u8], is_all: bool) -> Result<Option<(Meta, usize, Self)>, Error> {
        let format = Format::Aedat4;
        let refused = |problem: &str| {
            let problem = problem.to_owned();
            Err(Error::Header { format, problem })
        };
        let short = || {
            if is_all {
                refused("it is shorter than it says")
            } else {
                Ok(None)
            }
        };
        let Some((magic, rest)) = bytes.split_at_checked(MAGIC.len()) else {
            return short();
        };
        if magic != MAGIC {
            return refused("it does not begin with #!AER-DAT4.0");
        }
        let Some((length, rest)) = rest.split_first_chunk() else {
            return short();
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > HEADER {
            return refused("it is longer than 16 MiB");
        }
        let Some(header) = rest.get(..length) else {
            return short();
        };
        let Some(table) = Table::root(header, *b"IOHE") else {
            return refused("its FlatBuffer has no root");
        };
        let Some(compression) = Compression::of_number(table.u8(0).unwrap_or(0)) else {
            return refused("its compression is unknown");
        };
        compression.check()?;
        let xml = table
            .vector(2, 1)
            .and_then(|text| core::str::from_utf8(text).ok());
        let Some(stream) = xml.and_then(streams::events) else {
            return refused("it names no stream of events");
        };
        let meta = Meta {
            format,
            size: stream.size(),
            start: None,
        };
        let begin = MAGIC.len() + 4 + length;
        let end = u64::try_from(table.i64(1).unwrap_or(-1)).unwrap_or(u64::MAX);
        let decoder = Self {
            compression,
            stream: stream.id,
            end,
            at: begin as u64,
        };
        Ok(Some((meta, begin, decoder)))
    }

    /// The events of a packet.
    fn packet(
        &self,
        packed: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<(), String> {
        let content = self.compression.unpack(packed)?;
        // Behind its own length.
        let table = content
            .get(4..)
            .and_then(|content| Table::root(content, *b"EVTS"));
        let table = table.ok_or("its FlatBuffer is none of events")?;
        // A vector without elements may be left out, but not be broken.
        let events = match table.has(0) {
            true => table
                .vector(0, RECORD)
                .ok_or("its events reach beyond it")?,
            false => &[],
        };
        for &[t0, t1, t2, t3, t4, t5, t6, t7, x0, x1, y0, y1, on, ..] in whole::<RECORD>(events).0 {
            let [x, y] = [[x0, x1], [y0, y1]].map(|bytes| u16::try_from(i16::from_le_bytes(bytes)));
            let (Ok(x), Ok(y)) = (x, y) else {
                report.dropped += 1;
                continue;
            };
            report.events += 1;
            sink.event(Event {
                t: i64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
                x,
                y,
                p: on != 0,
            });
        }
        Ok(())
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
        while self.at < self.end {
            let Some((head, tail)) = rest.split_first_chunk::<8>() else {
                return Ok(bytes.len() - rest.len());
            };
            let [a, b, c, d, e, f, g, h] = *head;
            let [stream, size] = [[a, b, c, d], [e, f, g, h]].map(i32::from_le_bytes);
            let at = self.at;
            let Ok(size) = usize::try_from(size) else {
                let problem = format!("its size is {size}");
                return Err(Error::Packet { at, problem });
            };
            let Some((packed, behind)) = tail.split_at_checked(size) else {
                return Ok(bytes.len() - rest.len());
            };
            if stream == self.stream {
                let read = self.packet(packed, sink, report);
                read.map_err(|problem| Error::Packet { at, problem })?;
            } else {
                report.ignored += 1;
            }
            rest = behind;
            self.at += 8 + size as u64;
        }
        // The table of packets, which nobody needs who reads them in order.
        Ok(bytes.len())
    }
}

/// Writes packets.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    compression: Compression,
    size: Option<(u16, u16)>,
    /// Events of the packet that is not written yet.
    held: Vec<[u8; RECORD]>,
}

impl Encoder {
    pub(super) fn new(options: &Options, size: Option<(u16, u16)>) -> Self {
        Self {
            compression: options.compression,
            size,
            held: Vec::new(),
        }
    }
}

/// A table of a FlatBuffer behind the length, the root and the kind: places are those of fields in the
/// table, which begins at `at`.
fn table(at: u32, kind: [u8; 4], size: u16, places: &[u16]) -> Vec<u8> {
    let list = 12;
    let mut bytes = Vec::new();
    bytes.extend([0; 4]);
    bytes.extend((at - 4).to_le_bytes());
    bytes.extend(kind);
    bytes.extend((4 + 2 * places.len() as u16).to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(places.iter().flat_map(|place| place.to_le_bytes()));
    bytes.resize(at as usize, 0);
    bytes.extend((at - list).to_le_bytes());
    bytes
}

/// Puts the length in front of a FlatBuffer.
fn with_length(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u32 - 4;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

impl Encode for Encoder {
    const FORMAT: Format = Format::Aedat4;

    fn limits(&self) -> [i64; 2] {
        [1 << COORDINATE; 2]
    }

    fn header(&self, out: &mut Vec<u8>) {
        let size = self.size.map(|(width, height)| {
            format!(
                "<attr key=\"sizeX\" type=\"int\">{width}</attr>\
                 <attr key=\"sizeY\" type=\"int\">{height}</attr>"
            )
        });
        let compression = match self.compression {
            Compression::None => "NONE",
            Compression::Lz4 => "LZ4",
            Compression::Zstd => "ZSTD",
        };
        let xml = format!(
            "<dv version=\"2.0\"><node name=\"outInfo\" path=\"/mainloop/Recorder/outInfo/\">\
             <node name=\"0\" path=\"/mainloop/Recorder/outInfo/0/\">\
             <attr key=\"compression\" type=\"string\">{compression}</attr>\
             <attr key=\"typeIdentifier\" type=\"string\">EVTS</attr>\
             <node name=\"info\" path=\"/mainloop/Recorder/outInfo/0/info/\">{}</node>\
             </node></node></dv>",
            size.unwrap_or_default()
        );
        let mut header = table(24, *b"IOHE", 20, &[4, 8, 16]);
        header.extend(u32::from(self.compression.number()).to_le_bytes());
        header.extend((-1_i64).to_le_bytes());
        header.extend(4_u32.to_le_bytes());
        header.extend((xml.len() as u32).to_le_bytes());
        header.extend(xml.bytes());
        header.push(0);
        out.extend(MAGIC);
        out.extend(with_length(header));
    }

    fn event(&mut self, _: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut record = [0; RECORD];
        record[..8].copy_from_slice(&event.t.to_le_bytes());
        record[8..10].copy_from_slice(&event.x.to_le_bytes());
        record[10..12].copy_from_slice(&event.y.to_le_bytes());
        record[12] = event.p.into();
        self.held.push(record);
        match self.held.len() {
            EVENTS => self.flush(out),
            _ => Ok(()),
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut content = table(20, *b"EVTS", 8, &[4]);
        content.extend(4_u32.to_le_bytes());
        content.extend((self.held.len() as u32).to_le_bytes());
        content.extend(self.held.as_flattened());
        self.held.clear();
        let packed = self.compression.pack(with_length(content));
        out.extend(0_i32.to_le_bytes());
        out.extend((packed.len() as i32).to_le_bytes());
        out.extend(packed);
        Ok(())
    }
}
