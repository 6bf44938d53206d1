//! A recording in pieces is the whole, and a part of it is its beginning.

use crate::case::{in_pieces, recordings, whole, written};
use bitspike::events::{Events, Format, Options};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn pieces_at_every_cut_give_the_whole((format, options, events) in recordings(4)) {
        let bytes = written(format, &options, &events);
        // Silences of N-MNIST take thousands of records, all alike.
        let cuts = (0..=bytes.len()).filter(|cut| *cut < 600 || bytes.len() - cut < 200);
        for cut in cuts {
            let (front, back) = bytes.split_at(cut);
            let (result, found, _, report) = in_pieces(&options, [front, back].into_iter());
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!((&found, report), (&events, whole(&bytes, &options).1));
        }
        let (result, found, ..) = in_pieces(&options, bytes.chunks(1));
        prop_assert_eq!((result, found), (Ok(()), events));
    }

    #[test]
    fn a_file_that_ends_early_gives_its_beginning((format, options, events) in recordings(4)) {
        let bytes = written(format, &options, &events);
        let cuts = (0..bytes.len()).filter(|cut| *cut < 600 || bytes.len() - cut < 200);
        for cut in cuts {
            let part = &bytes[..cut];
            let (result, found, meta, report) = in_pieces(&options, [part].into_iter());
            let count = found.len();
            prop_assert_eq!(&found, &beginning(&events, count));
            if result.is_ok() {
                prop_assert_eq!(report.events, count as u64);
                prop_assert!(meta.is_some());
            } else {
                // Only a header must be there to its end.
                prop_assert_eq!(count, 0);
            }
            // The same, whatever the pieces.
            let again = in_pieces(&options, part.chunks(7));
            prop_assert_eq!(again, (result, found, meta, report));
        }
    }
}

fn beginning(events: &Events, count: usize) -> Events {
    Events {
        t: events.t[..count].to_vec(),
        x: events.x[..count].to_vec(),
        y: events.y[..count].to_vec(),
        p: events.p[..count].to_vec(),
    }
}

#[test]
fn empty_files_have_no_header() {
    let (result, ..) = in_pieces(&Options::default(), [].into_iter());
    assert!(result.is_err());
    for format in Format::ALL {
        let options = Options {
            format: Some(format),
            ..Options::default()
        };
        let (result, events, ..) = in_pieces(&options, [].into_iter());
        let headless = matches!(
            format,
            Format::Nmnist | Format::Evt2 | Format::Evt21 | Format::Evt3
        );
        assert_eq!((result.is_ok(), events.len()), (headless, 0), "{format}");
    }
}
