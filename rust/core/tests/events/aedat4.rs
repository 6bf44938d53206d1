//! Recordings of DV: several streams, a table at the end, packets that lie, or that are bombs.

use crate::case::{whole, written};
use bitspike::events::{Compression, Error, Event, Events, Format, Options, read};

const MAGIC: usize = 14;

fn event(t: i64) -> Event {
    Event {
        t,
        x: 3,
        y: 4,
        p: true,
    }
}

fn recording() -> (Vec<u8>, Events) {
    let events: Events = [event(5), event(9)].into_iter().collect();
    let bytes = written(Format::Aedat4, &Options::default(), &events);
    (bytes, events)
}

/// Where the packets begin.
fn begin(bytes: &[u8]) -> usize {
    let length = bytes[MAGIC..].first_chunk().expect("a length");
    MAGIC + 4 + u32::from_le_bytes(*length) as usize
}

fn packet(stream: i32, content: &[u8]) -> Vec<u8> {
    let head = [stream.to_le_bytes(), (content.len() as i32).to_le_bytes()];
    [head.as_flattened(), content].concat()
}

fn refused(bytes: &[u8]) -> Error {
    read(bytes, &Options::default()).expect_err("no recording")
}

#[test]
fn other_streams_are_ignored() {
    let (bytes, events) = recording();
    let at = begin(&bytes);
    let frames = packet(7, b"a frame");
    let mixed = [&bytes[..at], &frames, &bytes[at..], &frames].concat();
    let (found, report) = whole(&mixed, &Options::default());
    assert_eq!((found, report.ignored), (events, 2));
}

#[test]
fn the_table_at_the_end_is_no_packet() {
    let (mut bytes, events) = recording();
    // `dataTablePosition` stands behind the table's offset and the compression.
    let place = MAGIC + 4 + 28;
    assert_eq!(bytes[place..place + 8], (-1_i64).to_le_bytes());
    let end = bytes.len() as i64;
    bytes[place..place + 8].copy_from_slice(&end.to_le_bytes());
    bytes.extend([0xff; 40]);
    assert_eq!(whole(&bytes, &Options::default()).0, events);
}

#[test]
fn packets_that_lie_are_refused() {
    let (bytes, _) = recording();
    let at = begin(&bytes);
    for (content, part) in [
        (&b""[..], "none of events"),
        (&b"\0\0\0\0\x08\0\0\0FRME\0\0\0\0"[..], "none of events"),
        (&[0xff; 64][..], "none of events"),
    ] {
        let found = refused(&[&bytes[..at], &packet(0, content)].concat()).to_string();
        assert!(
            found.contains(&format!("at byte {at}")) && found.contains(part),
            "{found}"
        );
    }
    // More events than there are.
    let mut long = bytes.clone();
    let count = at + 8 + 28;
    assert_eq!(long[count..count + 4], 2_u32.to_le_bytes());
    long[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refused(&long).to_string().contains("reach beyond"));
    let negative = [&bytes[..at], &[0; 4], &(-1_i32).to_le_bytes()].concat();
    assert!(refused(&negative).to_string().contains("its size is -1"));
    // A packet of two gigabytes that never comes is an end.
    let open = [&bytes[..], &[0; 4], &i32::MAX.to_le_bytes(), &[1; 9]].concat();
    assert_eq!(whole(&open, &Options::default()).1.tail, 17);
}

#[test]
fn headers_that_lie_are_refused() {
    let (bytes, _) = recording();
    let mut long = bytes.clone();
    long[MAGIC..MAGIC + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refused(&long).to_string().contains("longer than 16 MiB"));
    assert!(
        refused(&bytes[..40])
            .to_string()
            .contains("shorter than it says")
    );
    let mut unknown = bytes.clone();
    unknown[MAGIC + 4 + 24] = 9;
    assert!(
        refused(&unknown)
            .to_string()
            .contains("compression is unknown")
    );
    let text = String::from_utf8_lossy(&bytes[..begin(&bytes)]).into_owned();
    let at = text.find("EVTS").expect("a stream of events");
    let mut other = bytes;
    other[at..at + 4].copy_from_slice(b"FRME");
    assert!(
        refused(&other)
            .to_string()
            .contains("names no stream of events")
    );
}

#[cfg(feature = "compression")]
#[test]
fn bombs_are_refused() {
    use std::io::Write;

    let zeros = vec![0; (64 << 20) + 1];
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(&zeros).expect("a frame");
    let lz4 = encoder.finish().expect("a frame");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(&zeros[..], level);
    for (compression, bomb) in [(Compression::Lz4, lz4), (Compression::Zstd, zstd)] {
        assert!(bomb.len() < 1 << 20);
        let options = Options {
            compression,
            ..Options::default()
        };
        let bytes = written(Format::Aedat4, &options, &Events::default());
        let found = refused(&[bytes, packet(0, &bomb)].concat());
        assert!(
            found.to_string().contains("larger than 67108864 bytes"),
            "{found}"
        );
    }
}

#[test]
fn compressions_have_names() {
    assert_eq!(Compression::named("lz4"), Ok(Compression::Lz4));
    assert!(matches!(
        Compression::named("zip"),
        Err(Error::UnknownName { .. })
    ));
}
