//! What is written is read again.

use crate::case::{recordings, whole, written};
use bitspike::events::{Chip, Columns, Error, Event, Events, Format, Options, Writer, read, write};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn events_come_back((format, options, events) in recordings(12)) {
        let bytes = written(format, &options, &events);
        let (found, meta, report) = read(&bytes, &options).expect("a recording");
        prop_assert_eq!(&found, &events);
        prop_assert_eq!(meta.format, format);
        prop_assert_eq!(report.events, events.len() as u64);
        prop_assert_eq!((report.dropped, report.ignored, report.tail), (0, 0, 0));
    }

    #[test]
    fn pieces_of_events_make_the_same_file((format, options, events) in recordings(8), cut in 0.0..1.0) {
        let at = (events.len() as f64 * cut) as usize;
        let mut writer = Writer::new(format, Some((128, 128)), &options).expect("a writer");
        let mut bytes = Vec::new();
        let all = events.columns();
        for range in [0..at, at..events.len()] {
            let piece = Columns {
                t: &all.t[range.clone()],
                x: &all.x[range.clone()],
                y: &all.y[range.clone()],
                p: &all.p[range],
            };
            writer.write(piece, &mut bytes).expect("events of the format");
        }
        writer.finish(&mut bytes).expect("events of the format");
        prop_assert_eq!(bytes, written(format, &options, &events));
    }
}

#[test]
fn many_events_come_back() {
    // More than a packet of AER-DAT holds.
    let event = |i: i64| Event {
        t: i / 3,
        x: (i * 7 % 100) as u16,
        y: (i % 90) as u16,
        p: i % 5 < 2,
    };
    let events: Events = (0..10_000).map(event).collect();
    for format in Format::ALL {
        let options = Options {
            format: Some(format),
            ..Options::default()
        };
        let bytes = written(format, &options, &events);
        assert_eq!(whole(&bytes, &options).0, events, "{format}");
    }
}

#[test]
fn sizes_are_read_from_headers() {
    for (format, size) in [
        (Format::Aedat31, (346, 260)),
        (Format::Aedat4, (346, 261)),
        (Format::Dat, (304, 240)),
        (Format::Evt2, (640, 480)),
        (Format::Evt21, (1280, 720)),
        (Format::Evt3, (1280, 720)),
    ] {
        let options = Options::default();
        let empty = Events::default();
        let bytes = write(empty.columns(), format, Some(size), &options).expect("a file");
        let (events, meta, _) = read(&bytes, &options).expect("a file");
        assert_eq!((meta.size, events.len()), (Some(size), 0), "{format}");
    }
    let options = Options {
        chip: Some(Chip::Davis240),
        ..Options::default()
    };
    let bytes = write(Events::default().columns(), Format::Aedat2, None, &options);
    let (_, meta, _) = read(&bytes.expect("a file"), &Options::default()).expect("a file");
    assert_eq!(meta.size, Some((240, 180)));
}

fn refused(format: Format, events: &[Event]) -> Error {
    let events: Events = events.iter().copied().collect();
    write(events.columns(), format, None, &Options::default()).expect_err("it does not fit")
}

#[test]
fn what_does_not_fit_is_refused() {
    let event = Event::default();
    for (format, x, y) in [
        (Format::Nmnist, 256, 0),
        (Format::Nmnist, 0, 240),
        (Format::Aedat2, 128, 0),
        (Format::Aedat31, 0, 1 << 15),
        (Format::Aedat4, 1 << 15, 0),
        (Format::Dat, 1 << 14, 0),
        (Format::Evt2, 1 << 11, 0),
        (Format::Evt21, 0, 1 << 11),
        (Format::Evt3, 1 << 11, 0),
    ] {
        let found = refused(format, &[event, Event { x, y, ..event }]);
        assert!(
            matches!(found, Error::OutOfRange { at: 1, .. }),
            "{format}: {found}"
        );
    }
    for format in Format::ALL {
        let late = Event { t: 1, ..event };
        assert_eq!(refused(format, &[late, event]), Error::Unordered { at: 1 });
        let early = Event { t: -1, ..event };
        assert!(matches!(
            refused(format, &[early]),
            Error::OutOfRange { what: "t", .. }
        ));
    }
    // A silence in which the clock wraps unseen, or that takes too many records to bridge.
    for (format, t) in [
        (Format::Nmnist, 1 << 40),
        (Format::Aedat2, 1 << 32),
        (Format::Aedat31, i64::MAX - 1),
        (Format::Dat, 1 << 32),
        (Format::Evt2, 1 << 60),
        (Format::Evt21, 1 << 60),
        (Format::Evt3, 1 << 50),
    ] {
        let found = refused(format, &[event, Event { t, ..event }]);
        assert_eq!(found, Error::Gap { at: 1, format });
    }
    let columns = Columns {
        t: &[0, 1],
        x: &[0, 1],
        y: &[0],
        p: &[true, true],
    };
    let found = write(columns, Format::Dat, None, &Options::default());
    assert!(matches!(found, Err(Error::Length { what: "y", .. })));
}

#[test]
fn times_that_wrap_are_said_at_both_sides() {
    // As a camera says them: some readers know a wrap by its fall from the largest number.
    let events: Events = [0, (3 << 24) + 5]
        .map(|t| Event {
            t,
            ..Event::default()
        })
        .into_iter()
        .collect();
    let bytes = written(Format::Evt3, &Options::default(), &events);
    let words = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|word| u16::from_le_bytes(*word));
    let high: Vec<_> = words
        .filter(|word| word >> 12 == 8)
        .map(|word| word & 0xfff)
        .collect();
    let once = [0x400, 0x800, 0xc00, 0xfff, 0];
    assert!(high.ends_with(&[once, once, once].concat()), "{high:x?}");
}
