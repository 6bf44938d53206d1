//! Bytes by hand: what each format says, and where readers have gone wrong.

use bitspike::events::{Chip, Convention, Error, Events, Format, Meta, Options, Report, read};

type Pixel = (i64, u16, u16, bool);

fn options(format: Format) -> Options {
    Options {
        format: Some(format),
        ..Options::default()
    }
}

fn found(bytes: &[u8], options: &Options) -> (Vec<Pixel>, Meta, Report) {
    let (Events { t, x, y, p }, meta, report) = read(bytes, options).expect("a recording");
    let events = (0..t.len()).map(|i| (t[i], x[i], y[i], p[i])).collect();
    (events, meta, report)
}

fn events(bytes: &[u8], options: &Options) -> Vec<Pixel> {
    found(bytes, options).0
}

fn refused(bytes: &[u8]) -> Error {
    read(bytes, &Options::default()).expect_err("no recording")
}

/// A header and words behind it, little-endian.
fn words<const N: usize>(header: &str, words: &[[u8; N]]) -> Vec<u8> {
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

fn aedat2(header: &str, records: &[(u32, u32)]) -> Vec<u8> {
    let records = records.iter();
    let records = records.flat_map(|(a, t)| [a.to_be_bytes(), t.to_be_bytes()].concat());
    header.bytes().chain(records).collect()
}

#[test]
fn aedat2_of_dvs128_says_what_the_convention_says() {
    let header = "#!AER-DAT2.0\r\n# Creation time: System.currentTimeMillis() 1695355587880\r\n";
    // Polarity bit 1, lower axis 3, upper axis 5; then bit 15, an event of no pixel.
    let bytes = aedat2(header, &[(1 | 3 << 1 | 5 << 8, 9), (1 << 15, 10)]);
    let with = |convention| Options {
        convention,
        ..Options::default()
    };
    let (pixels, meta, report) = found(&bytes, &with(Convention::Address));
    assert_eq!(pixels, [(9, 3, 5, true)]);
    assert_eq!(meta.start.as_deref(), Some("1695355587880"));
    assert_eq!((meta.size, report.ignored), (Some((128, 128)), 1));
    assert_eq!(
        events(&bytes, &with(Convention::Jaer)),
        [(9, 124, 5, false)]
    );
    assert_eq!(events(&bytes, &with(Convention::Tonic)), [(9, 5, 3, true)]);
}

#[test]
fn aedat2_of_davis_leaves_frames_and_triggers_out() {
    let header = "#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n";
    let pixel = 1 << 11 | 17 << 12 | 100 << 22;
    let records = [
        (pixel, 1),
        (pixel | 1 << 31, 2),
        (pixel | 1 << 10, 3),
        (pixel & !(1 << 11), 4),
    ];
    let bytes = aedat2(header, &records);
    let (pixels, meta, report) = found(&bytes, &Options::default());
    assert_eq!(pixels, [(1, 17, 100, true), (4, 17, 100, false)]);
    assert_eq!((meta.size, report.ignored), (Some((240, 180)), 2));
    let jaer = Options {
        convention: Convention::Jaer,
        ..Options::default()
    };
    assert_eq!(events(&bytes, &jaer)[0], (1, 222, 100, true));
    // A column that the chip does not have cannot be counted from the other side.
    let outside = aedat2(header, &[(240 << 12, 1)]);
    assert_eq!(found(&outside, &jaer).2.dropped, 1);
    let other = Options {
        chip: Some(Chip::Dvs128),
        ..Options::default()
    };
    assert_eq!(found(&bytes, &other).1.size, Some((128, 128)));
}

#[test]
fn records_of_aedat2_may_begin_like_a_line() {
    // 0x23 is '#', and no line end follows but behind bytes that are no text.
    let first = (0x2300_0102, 7);
    let bytes = aedat2("#!AER-DAT2.0\r\n# text\r\n", &[first, (0x0a, 8)]);
    assert_eq!(
        events(&bytes, &Options::default()),
        [(7, 1, 1, false), (8, 5, 0, false)]
    );
    // Text to a line end would be taken for a line, if nothing ended the header.
    let text = (0x2320_2020, 0x2020_200a);
    let time = i64::from(text.1);
    let open = aedat2("#!AER-DAT2.0\r\n", &[text]);
    assert_eq!(events(&open, &Options::default()), []);
    let closed = aedat2("#!AER-DAT2.0\r\n#!END-HEADER\r\n", &[text]);
    assert_eq!(
        events(&closed, &Options::default()),
        [(time, 16, 32, false)]
    );
}

#[test]
fn times_of_aedat2_and_dat_wrap_and_step_back() {
    let times = [u32::MAX - 1, 3, u32::MAX, 1 << 31, (1 << 31) + 5, 2];
    let whole = 1_i64 << 32;
    // The third is late from before the wrap; the last is the second wrap.
    let expected = [
        whole - 2,
        whole + 3,
        whole - 1,
        1 << 31,
        (1 << 31) + 5,
        whole + 2,
    ];
    let records: Vec<_> = times.iter().map(|t| (0, *t)).collect();
    let bytes = aedat2("#!AER-DAT2.0\r\n", &records);
    let found: Vec<_> = events(&bytes, &Options::default())
        .iter()
        .map(|event| event.0)
        .collect();
    assert_eq!(found, expected);
    let records: Vec<_> = times
        .iter()
        .flat_map(|t| [t.to_le_bytes(), [0; 4]].concat())
        .collect();
    let bytes = [&b"% Version 2\n\x0c\x08"[..], &records].concat();
    let found: Vec<_> = events(&bytes, &Options::default())
        .iter()
        .map(|event| event.0)
        .collect();
    assert_eq!(found, expected);
}

const AEDAT31: &str = "#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n\
                       #Start-Time: 2016-08-23 14:10:24 (TZ+0000)\r\n#!END-HEADER\r\n";

fn packet(kind: i16, numbers: [i32; 6], events: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), 1_i16.to_le_bytes()].concat();
    bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    bytes.extend(events);
    bytes
}

fn pixel(valid: bool, p: bool, x: u32, y: u32, t: i32) -> Vec<u8> {
    let address = u32::from(valid) | u32::from(p) << 1 | y << 2 | x << 17;
    [address.to_le_bytes(), t.to_le_bytes()].concat()
}

#[test]
fn aedat31_minds_types_wraps_and_valid_bits() {
    let pixels = [
        pixel(true, true, 127, 3, 10),
        pixel(false, true, 1, 1, 11),
        pixel(true, false, 0, 127, 12),
        pixel(true, false, 0, 0, -1),
    ]
    .concat();
    let bytes = [
        AEDAT31.as_bytes(),
        // A frame of three bytes, twice; a trigger without events; then pixels after two wraps.
        &packet(2, [3, 0, 0, 2, 2, 2], &[0xff; 6]),
        &packet(0, [8, 4, 0, 0, 0, 0], &[]),
        &packet(1, [8, 4, 2, 4, 4, 3], &pixels),
    ]
    .concat();
    let (events, meta, report) = found(&bytes, &Options::default());
    let wraps = 2 << 31;
    let expected = [(wraps + 10, 127, 3, true), (wraps + 12, 0, 127, false)];
    assert_eq!((events, meta.size), (expected.to_vec(), Some((128, 128))));
    assert_eq!(meta.start.as_deref(), Some("2016-08-23 14:10:24 (TZ+0000)"));
    assert_eq!((report.dropped, report.ignored), (2, 2));
}

#[test]
fn packets_of_aedat31_that_lie_are_refused() {
    let refused_packet = |numbers| {
        let bytes = [AEDAT31.as_bytes(), &packet(1, numbers, &[0; 64])].concat();
        match refused(&bytes) {
            Error::Packet { at, problem } => (at, problem),
            other => panic!("{other}"),
        }
    };
    for (numbers, part) in [
        ([8, 4, 0, 1, -1, 0], "negative number"),
        ([-8, 4, 0, 1, 1, 0], "negative size"),
        ([8, 4, 0, 1, 2, 0], "more events"),
        ([16, 4, 0, 1, 1, 0], "eight bytes"),
        ([8, 0, 0, 1, 1, 0], "eight bytes"),
        ([8, 4, -1, 1, 1, 0], "wrapped"),
    ] {
        let (at, problem) = refused_packet(numbers);
        assert_eq!(at, AEDAT31.len() as u64);
        assert!(problem.contains(part), "{problem}");
    }
    // A packet of two billion events that are not there.
    let numbers = [8, 4, 0, i32::MAX, i32::MAX, 0];
    let bytes = [
        AEDAT31.as_bytes(),
        &packet(1, numbers, &pixel(true, true, 1, 2, 3)),
    ]
    .concat();
    assert_eq!(events(&bytes, &Options::default()), [(3, 1, 2, true)]);
    let other = [AEDAT31.as_bytes(), &packet(7, numbers, &[1; 9])].concat();
    assert_eq!(events(&other, &Options::default()), []);
    assert!(matches!(
        refused(b"#!AER-DAT3.1\r\nno end"),
        Error::Header { .. }
    ));
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
