//! Bytes of AER-DAT 2.0 and 3.1 by hand: what the formats say, and where readers have gone wrong.

use crate::traps::{events, found, refused};
use bitspike::events::{Chip, Convention, Error, Options};

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
