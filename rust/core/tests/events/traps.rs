//! Bytes by hand: what each format says, and where readers have gone wrong; those of AER-DAT are in
//! `aedat_traps.rs`.

use bitspike::events::{Error, Events, Format, Meta, Options, Report, read};

pub(crate) type Pixel = (i64, u16, u16, bool);

pub(crate) fn options(format: Format) -> Options {
    Options {
        format: Some(format),
        ..Options::default()
    }
}

pub(crate) fn found(bytes: &[u8], options: &Options) -> (Vec<Pixel>, Meta, Report) {
    let (Events { t, x, y, p }, meta, report) = read(bytes, options).expect("a recording");
    let events = (0..t.len()).map(|i| (t[i], x[i], y[i], p[i])).collect();
    (events, meta, report)
}

pub(crate) fn events(bytes: &[u8], options: &Options) -> Vec<Pixel> {
    found(bytes, options).0
}

pub(crate) fn refused(bytes: &[u8]) -> Error {
    read(bytes, &Options::default()).expect_err("no recording")
}

/// A header and words behind it, little-endian.
pub(crate) fn words<const N: usize>(header: &str, words: &[[u8; N]]) -> Vec<u8> {
    [header.as_bytes(), words.as_flattened()].concat()
}

#[test]
fn row_240_of_nmnist_is_a_later_time_and_a_tail_is_told() {
    let bytes = [
        [7, 9, 0x80, 0, 5],
        [0, 240, 0, 0, 0],
        [33, 2, 0x7f, 0xff, 0xff],
        [0, 240, 0, 0, 0],
        [1, 241, 0x80, 1, 0],
    ];
    let bytes = [bytes.as_flattened(), &[1, 2, 3]].concat();
    let (events, meta, report) = found(&bytes, &options(Format::Nmnist));
    let later = 1 << 13;
    let expected = [
        (5, 7, 9, true),
        (later + (1 << 23) - 1, 33, 2, false),
        (2 * later + 256, 1, 241, true),
    ];
    assert_eq!((events, meta.size), (expected.to_vec(), None));
    assert_eq!((report.events, report.tail), (3, 3));
}

#[test]
fn headers_of_dat_end_before_the_type() {
    let record = [5, 0, 0, 0, 0x01, 0x80, 0x00, 0x10];
    let header = b"% Data file containing CD events.\n% Date 2014-11-04 11:21:03\n% Height 240\n% Width 304\n";
    for kind in [0x0c, 0x00] {
        let bytes = [&header[..], &[kind, 8], &record].concat();
        let (events, meta, _) = found(&bytes, &Options::default());
        assert_eq!(events, [(5, 1, 2, true)]);
        assert_eq!((meta.format, meta.size), (Format::Dat, Some((304, 240))));
        assert_eq!(meta.start.as_deref(), Some("2014-11-04 11:21:03"));
    }
    for end in [&[0x0c, 9][..], &[0x0e, 8], &[0x0c]] {
        let found = refused(&[&header[..], end].concat());
        assert!(
            matches!(
                found,
                Error::Header {
                    format: Format::Dat,
                    ..
                }
            ),
            "{found}"
        );
    }
}

const EVT2: &str = "% date 2024-03-01 12:00:00\n% evt 2.0\n% geometry 640x480\n% end\n";

#[test]
fn evt2_drops_what_has_no_time_and_knows_other_words() {
    let word = |kind: u32, rest: u32| (kind << 28 | rest).to_le_bytes();
    let event = |kind, low: u32, x: u32, y: u32| word(kind, low << 22 | x << 11 | y);
    let last = 0xfff_ffff;
    let bytes = words(
        EVT2,
        &[
            event(1, 1, 1, 1),
            word(8, last),
            event(1, 63, 2047, 2046),
            word(0xa, 1 << 22 | 3 << 8 | 1),
            word(0xe, 0),
            word(0xf, 0),
            word(8, 0),
            event(0, 2, 3, 4),
            // Late, from before the wrap.
            word(8, last),
            event(0, 0, 5, 6),
            word(8, 1),
            event(1, 0, 7, 8),
        ],
    );
    let (events, meta, report) = found(&bytes, &Options::default());
    let range = 1_i64 << 34;
    let expected = [
        (range - 1, 2047, 2046, true),
        (range + 2, 3, 4, false),
        (range - 64, 5, 6, false),
        (range + 64, 7, 8, true),
    ];
    assert_eq!(events, expected);
    assert_eq!((report.dropped, report.ignored), (1, 3));
    assert_eq!((meta.format, meta.size), (Format::Evt2, Some((640, 480))));
    assert_eq!(meta.start.as_deref(), Some("2024-03-01 12:00:00"));
}

#[test]
fn words_may_begin_like_a_line_of_a_header() {
    // 0x25 is '%'; zeros are no text.
    let low = 0x25_u32;
    let high = (8_u32 << 28 | low).to_le_bytes();
    let event = (1_u32 << 28 | 3 << 11 | low).to_le_bytes();
    let bytes = words("% evt 2.0\n", &[high, event]);
    assert_eq!(
        events(&bytes, &Options::default()),
        [(i64::from(low) << 6, 3, 0x25, true)]
    );
}

#[test]
fn evt21_is_read_in_both_orders() {
    let word = |head: u32, mask: u32, swapped: bool| {
        let halves = if swapped { [head, mask] } else { [mask, head] };
        halves
            .map(u32::to_le_bytes)
            .as_flattened()
            .try_into()
            .expect("eight bytes")
    };
    let mask = 1 | 1 << 5 | 1 << 31;
    let all = |swapped| -> Vec<[u8; 8]> {
        vec![
            word(1 << 28 | 32 << 11 | 9, mask, swapped),
            word(8 << 28 | 3, 0, swapped),
            word(1 << 28 | 5 << 22 | 64 << 11 | 9, mask, swapped),
            word(0xa << 28, 0, swapped),
            word(8, 0, swapped),
        ]
    };
    let t = 3 * 64 + 5;
    let expected = [(t, 64, 9, true), (t, 69, 9, true), (t, 95, 9, true)];
    let plain = "% evt 2.1\n% end\n";
    let legacy = "% format EVT21;height=720;width=1280;endianness=legacy\n% end\n";
    let by_sensor = "% evt 2.1\n% plugin_name hal_plugin_imx636_evk4\n% end\n";
    for (header, swapped) in [(plain, false), (legacy, true), (by_sensor, true)] {
        let (events, _, report) = found(&words(header, &all(swapped)), &Options::default());
        assert_eq!(events, expected, "{header}");
        assert_eq!((report.dropped, report.ignored), (3, 1));
    }
    let asked = Options {
        high_first: Some(true),
        ..Options::default()
    };
    assert_eq!(events(&words(plain, &all(true)), &asked), expected);
    assert_eq!(
        found(&words(legacy, &all(true)), &asked).1.size,
        Some((1280, 720))
    );
}

fn evt3(all: &[u16]) -> Vec<u8> {
    let all: Vec<_> = all.iter().map(|word| word.to_le_bytes()).collect();
    words(
        "% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n",
        &all,
    )
}

const ON: u16 = 1 << 11;

#[test]
fn evt3_keeps_what_is_not_said_again() {
    let bytes = evt3(&[
        // No time and no row yet; a time, and no row.
        0x2005,
        0x8001,
        0x2005,
        // Row 7 (its bit 11 says which camera), 0x1005: an event, then vectors from 100 on.
        0x0807,
        0x6005,
        0x2000 | ON | 5,
        0x3000 | 100,
        0x4801,
        0x5081,
        // A trigger, another thing, and what continues it.
        0xa101,
        0xe000,
        0x7000,
        0xf000,
        // The low bits start anew with the high ones.
        0x8002,
        0x2006,
    ]);
    let (events, meta, report) = found(&bytes, &Options::default());
    let t = 0x1005;
    let vectors = [100, 111, 112, 119].map(|x| (t, x, 7, false));
    let expected = [&[(t, 5, 7, true)][..], &vectors, &[(0x2000, 6, 7, false)]].concat();
    assert_eq!(events, expected);
    assert_eq!((report.dropped, report.ignored), (2, 4));
    assert_eq!((meta.format, meta.size), (Format::Evt3, Some((1280, 720))));
}

#[test]
fn times_of_evt3_wrap_by_half_their_range_only() {
    let bytes = evt3(&[
        0x0000, 0x8fff, 0x2001, 0x8ffe, 0x2002, 0x8000, 0x2003, 0x8fff, 0x2004, 0x8001, 0x2005,
    ]);
    let range = 1 << 24;
    let times: Vec<_> = events(&bytes, &Options::default())
        .iter()
        .map(|event| event.0)
        .collect();
    let high = |x: i64| x << 12;
    assert_eq!(
        times,
        [
            high(0xfff),
            high(0xffe),
            range,
            high(0xfff),
            range + high(1)
        ]
    );
}

#[test]
fn vectors_of_evt3_end_with_the_last_column_and_need_a_first() {
    let bytes = evt3(&[
        0x8000,
        0x0000,
        0x4001,
        0x3000 | ON | 2040,
        0x4fff,
        0x4fff,
        0x5001,
    ]);
    let (events, _, report) = found(&bytes, &Options::default());
    let columns: Vec<_> = events.iter().map(|event| event.1).collect();
    assert_eq!(columns, (2040..2048).collect::<Vec<_>>());
    assert_eq!((report.events, report.dropped), (8, 1 + 4 + 12 + 1));
}

#[test]
fn other_files_are_refused() {
    for (bytes, part) in [
        (&b"\x89PNG"[..], "no known format"),
        (b"#!/bin/sh\n", "no known format"),
        (b"#!AER-DAT1.0\r\n", "AER-DAT 1.0 is not read"),
        (b"% evt 4.0\n% end\n", "EVT 4.0 is not read"),
        (b"% no line end, \x00 is no text", "no known format"),
        (b"", "no known format"),
    ] {
        let found = refused(bytes).to_string();
        assert!(found.contains(part), "{found}");
    }
    // The other way round, a recording of DV is none of jAER.
    let found = read(b"#!AER-DAT4.0\r\n\x00\x00", &options(Format::Aedat2));
    assert!(matches!(
        found,
        Err(Error::Header {
            format: Format::Aedat2,
            ..
        })
    ));
    let known = Format::named("evt9").expect_err("no format").to_string();
    assert!(
        known.contains("nmnist, aedat2, aedat3.1, aedat4, dat, evt2, evt2.1, evt3"),
        "{known}"
    );
}
