//! Frames are what a plain loop over the events makes.

use crate::case::{recordings, written};
use bitspike::events::{
    Cell, Error, Event, Events, Format, Frames, Layout, Options, Placed, Polarity, Reader, Sink,
    Window,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SIZE: (u16, u16) = (21, 5);
const LIMIT: usize = 1 << 26;

fn layout(window: Window, polarity: Polarity, start: Option<i64>) -> Layout {
    Layout {
        size: SIZE,
        polarity,
        window,
        start,
        limit: LIMIT,
    }
}

fn placed<C: Cell>(layout: &Layout, events: &[Event]) -> Frames<C> {
    let mut frames = Frames::new(layout).expect("a layout");
    events.iter().for_each(|event| frames.event(*event));
    frames.check().expect("within the limit");
    frames
}

/// How many events each neuron of each step has.
type Counts = BTreeMap<(u64, usize), u64>;

/// The same by the definition.
fn naive(layout: &Layout, events: &[Event]) -> (Counts, Placed) {
    let (mut counts, mut placed, mut taken) = (Counts::new(), Placed::default(), 0);
    let (width, height) = (usize::from(SIZE.0), usize::from(SIZE.1));
    let mut start = layout.start;
    for &Event { t, x, y, p } in events {
        let plane = match (layout.polarity, p) {
            (Polarity::Both, true) => 1,
            (Polarity::On, false) => continue,
            _ => 0,
        };
        let (x, y) = (usize::from(x), usize::from(y));
        if x >= width || y >= height {
            placed.outside += 1;
            continue;
        }
        let begin = match layout.window {
            Window::Events { .. } => start.unwrap_or(i64::MIN),
            _ => *start.get_or_insert(t),
        };
        if t < begin {
            placed.early += 1;
            continue;
        }
        let since = t as i128 - begin as i128;
        let (step, steps) = match layout.window {
            Window::Time { width, steps } => (since / width as i128, steps),
            Window::Share { span, steps } => (since * steps as i128 / span as i128, Some(steps)),
            Window::Events { count, steps } => (i128::from(taken / count), steps),
        };
        if steps.is_some_and(|steps| step >= steps as i128) {
            placed.late += 1;
            continue;
        }
        taken += 1;
        placed.events += 1;
        let count = counts
            .entry((step as u64, (plane * height + y) * width + x))
            .or_default();
        placed.collisions += u64::from(*count > 0);
        *count += 1;
    }
    (counts, placed)
}

fn all<C: Cell>(frames: &mut Frames<C>) -> Vec<C> {
    frames.cells(frames.steps(true)).to_vec()
}

fn counts_of(frames: &mut Frames<u8>) -> Counts {
    let (row, cells) = (frames.row(), all(frames));
    let cells = cells.iter().enumerate();
    let some = cells.filter(|(_, count)| **count > 0);
    some.map(|(i, count)| (((i / row) as u64, i % row), u64::from(*count)))
        .collect()
}

fn bits_of(frames: &mut Frames<u64>) -> Counts {
    let (row, words) = (frames.row(), all(frames));
    let words = words.iter().enumerate();
    let bits = words.flat_map(|(i, word)| {
        (0..64)
            .filter(move |bit| word >> bit & 1 == 1)
            .map(move |bit| (i, bit))
    });
    bits.map(|(i, bit)| (((i / row) as u64, i % row * 64 + bit), 1))
        .collect()
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0_i64..400, 0..SIZE.0 + 2, 0..SIZE.1 + 1, any::<bool>());
    let event = event.prop_map(|(t, x, y, p)| Event { t, x, y, p });
    prop::collection::vec(event, 0..60)
}

fn layouts() -> impl Strategy<Value = Layout> {
    let steps = prop::option::of(1_u64..9);
    let window = prop_oneof![
        (1_u64..90, steps.clone()).prop_map(|(width, steps)| Window::Time { width, steps }),
        (1_u64..500, 1_u64..20).prop_map(|(span, steps)| Window::Share { span, steps }),
        (1_u64..9, steps).prop_map(|(count, steps)| Window::Events { count, steps }),
    ];
    let polarity = prop::sample::select(vec![Polarity::Both, Polarity::Merge, Polarity::On]);
    (window, polarity, prop::option::of(0_i64..200)).prop_map(|(window, polarity, start)| {
        let start = match window {
            Window::Share { .. } => Some(start.unwrap_or(0)),
            _ => start,
        };
        layout(window, polarity, start)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn frames_are_those_of_a_plain_loop(layout in layouts(), events in events()) {
        let (counts, expected) = naive(&layout, &events);
        let mut counted = placed::<u8>(&layout, &events);
        prop_assert_eq!(counts_of(&mut counted), counts.clone());
        let full = Placed { collisions: 0, ..expected };
        prop_assert_eq!(counted.placed(), full);
        let mut packed = placed::<u64>(&layout, &events);
        let bits: Counts = counts.into_keys().map(|place| (place, 1)).collect();
        prop_assert_eq!(bits_of(&mut packed), bits);
        prop_assert_eq!(packed.placed(), expected);
        if layout.window.steps().is_some() {
            let mut own = Frames::<u64>::new(&layout).expect("a layout");
            let mut cells = vec![0; own.row() * own.steps(true)];
            let mut sink = own.within(&mut cells).expect("cells of all steps");
            events.iter().for_each(|event| sink.event(*event));
            prop_assert_eq!(cells, all(&mut packed));
            prop_assert_eq!(own.placed(), expected);
            prop_assert!(own.within(&mut []).is_err());
        }
    }

    #[test]
    fn steps_that_are_given_are_the_whole(
        width in 1_u64..90,
        mut events in events(),
        cuts in prop::collection::vec(0_usize..60, 0..4),
    ) {
        events.sort_by_key(|event| event.t);
        let window = Window::Time { width, steps: None };
        let layout = layout(window, Polarity::Both, Some(0));
        let mut whole = placed::<u64>(&layout, &events);
        let (mut frames, mut found) = (Frames::<u64>::new(&layout).expect("a layout"), Vec::new());
        for (i, event) in events.iter().enumerate() {
            if cuts.contains(&i) {
                let steps = frames.steps(false);
                found.extend_from_slice(frames.cells(steps));
                frames.give(steps);
            }
            frames.event(*event);
        }
        found.extend(all(&mut frames));
        prop_assert_eq!(found, all(&mut whole));
        prop_assert_eq!(frames.placed(), whole.placed());
    }

    #[test]
    fn vectors_of_files_are_their_events((format, options, events) in recordings(8), layout in layouts()) {
        let bytes = written(format, &options, &events);
        let size = match format {
            Format::Aedat2 => (150, 130),
            _ => (1500, 7),
        };
        let layout = Layout { size, ..layout };
        let layout = match layout.window {
            // Silences are long.
            Window::Time { width, steps } => {
                let window = Window::Time { width: width << 30, steps };
                Layout { window, ..layout }
            }
            _ => layout,
        };
        let mut direct = Frames::<u64>::new(&layout).expect("a layout");
        let mut reader = Reader::new(options);
        reader.push(&bytes, &mut direct).expect("a recording");
        reader.finish(&mut direct).expect("a recording");
        let events = events.columns().iter().expect("columns").collect::<Vec<_>>();
        let mut one_by_one = placed::<u64>(&layout, &events);
        prop_assert_eq!(all(&mut direct), all(&mut one_by_one));
        prop_assert_eq!(direct.placed(), one_by_one.placed());
    }
}

fn at(t: i64) -> Event {
    Event {
        t,
        ..Event::default()
    }
}

#[test]
fn steps_are_complete_once_the_next_has_begun() {
    let window = Window::Time {
        width: 10,
        steps: None,
    };
    let mut frames = placed::<u64>(&layout(window, Polarity::Merge, Some(5)), &[at(5), at(24)]);
    assert_eq!((frames.steps(false), frames.steps(true)), (1, 2));
    frames.reach(25).expect("within the limit");
    assert_eq!((frames.steps(false), frames.steps(true)), (2, 3));
    frames.event(at(25));
    assert_eq!((frames.steps(false), frames.steps(true)), (2, 3));
    frames.give(2);
    assert_eq!((frames.steps(false), frames.steps(true)), (0, 1));
    frames.event(at(24));
    assert_eq!(frames.placed().early, 1);
    let window = Window::Events {
        count: 2,
        steps: None,
    };
    let three = [at(0), at(0), at(9)];
    let frames = placed::<u64>(&layout(window, Polarity::Merge, None), &three);
    assert_eq!((frames.steps(false), frames.steps(true)), (1, 2));
}

#[test]
fn counts_stop_at_their_end() {
    let window = Window::Time {
        width: 10,
        steps: Some(1),
    };
    let mut frames = placed::<u8>(&layout(window, Polarity::Merge, Some(0)), &[at(3); 300]);
    assert_eq!((frames.cells(1)[0], frames.placed().collisions), (255, 45));
    let mut frames = placed::<i16>(&layout(window, Polarity::Merge, Some(0)), &[at(3); 300]);
    assert_eq!((frames.cells(1)[0], frames.placed().collisions), (300, 0));
}

#[test]
fn times_at_the_ends_of_all_times_are_no_trouble() {
    for (window, steps) in [
        (
            Window::Time {
                width: u64::MAX,
                steps: None,
            },
            1,
        ),
        (
            Window::Share {
                span: u64::MAX,
                steps: 4,
            },
            4,
        ),
    ] {
        let layout = layout(window, Polarity::Merge, Some(i64::MIN));
        let frames = placed::<u64>(&layout, &[at(i64::MIN), at(0), at(i64::MAX - 1)]);
        assert_eq!((frames.steps(true), frames.placed().events), (steps, 3));
    }
}

#[test]
fn frames_stay_within_their_limit() {
    let window = Window::Time {
        width: 1,
        steps: None,
    };
    let mut frames = Frames::<u64>::new(&layout(window, Polarity::Merge, None)).expect("a layout");
    frames.event(at(0));
    frames.event(at(1 << 40));
    frames.event(at(1));
    assert!(matches!(
        frames.check(),
        Err(Error::Limit { what: "frames", .. })
    ));
    assert_eq!(frames.steps(true), 2);
    let asked = Window::Time {
        width: 1,
        steps: Some(1 << 50),
    };
    let found = Frames::<u8>::new(&layout(asked, Polarity::Both, None));
    assert!(matches!(found, Err(Error::Limit { .. })));
    for window in [
        Window::Time {
            width: 0,
            steps: None,
        },
        Window::Events {
            count: 0,
            steps: None,
        },
        Window::Share { span: 0, steps: 3 },
        Window::Share { span: 3, steps: 0 },
    ] {
        let found = Frames::<u64>::new(&layout(window, Polarity::Both, Some(0)));
        assert!(matches!(found, Err(Error::Option { .. })), "{window:?}");
    }
    let share = Window::Share { span: 3, steps: 3 };
    assert!(Frames::<u64>::new(&layout(share, Polarity::Both, None)).is_err());
}

#[test]
fn nothing_comes_of_no_pixels() {
    let window = Window::Events {
        count: 3,
        steps: None,
    };
    let empty = Layout {
        size: (0, 0),
        ..layout(window, Polarity::Both, None)
    };
    let mut frames = Frames::<u64>::new(&empty).expect("a layout");
    let events: Events = [at(1)].into_iter().collect();
    let bytes = written(Format::Evt3, &Options::default(), &events);
    let mut reader = Reader::new(Options::default());
    reader.push(&bytes, &mut frames).expect("a recording");
    reader.finish(&mut frames).expect("a recording");
    assert_eq!((frames.steps(true), frames.placed().outside), (0, 1));
}
