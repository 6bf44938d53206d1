//! Filters, each against its definition by hand.

use bitspike::events::{Crop, Error, Event, Events, Filter, Filters, Sink};

const LIMIT: usize = 1 << 20;

/// What of events passes.
fn passed(filters: &[Filter], size: (u16, u16), events: &[Event]) -> (Vec<Event>, u64) {
    let mut filters = Filters::new(filters, size, LIMIT).expect("filters");
    let mut found = Events::default();
    let mut sink = filters.before(&mut found);
    events.iter().for_each(|event| sink.event(*event));
    drop(sink);
    (
        found.columns().iter().expect("columns").collect(),
        filters.dropped(),
    )
}

fn at(t: i64, x: u16, y: u16) -> Event {
    Event { t, x, y, p: true }
}

#[test]
fn a_pixel_rests_after_an_event_that_was_kept() {
    let events = [0, 9, 10, 12, 19, 20].map(|t| at(t, 1, 1));
    let (found, dropped) = passed(&[Filter::Refractory(10)], (3, 3), &events);
    assert_eq!(found, [0, 10, 20].map(|t| at(t, 1, 1)));
    assert_eq!(dropped, 3);
    // Pixels rest by themselves, both polarities together.
    let other = Event {
        p: false,
        ..at(1, 1, 1)
    };
    let (found, _) = passed(
        &[Filter::Refractory(10)],
        (3, 3),
        &[at(0, 1, 1), at(1, 0, 1), other],
    );
    assert_eq!(found, [at(0, 1, 1), at(1, 0, 1)]);
}

#[test]
fn an_event_needs_one_around_it() {
    let events = [
        // Alone, though its own pixel was first.
        at(0, 0, 0),
        at(1, 0, 0),
        // Diagonal to it, in time; then too late; then of a neighbour that was dropped itself.
        at(5, 1, 1),
        at(20, 2, 2),
        at(21, 2, 1),
        // Two pixels away.
        at(22, 0, 2),
    ];
    let (found, dropped) = passed(&[Filter::Background(6)], (3, 3), &events);
    assert_eq!(found, [at(5, 1, 1), at(21, 2, 1)]);
    assert_eq!(dropped, 4);
}

#[test]
fn crops_masks_and_squares_follow_each_other() {
    let crop = Crop {
        x: 2,
        y: 1,
        width: 4,
        height: 3,
    };
    let mut mask = vec![false; 12];
    mask[4 + 1] = true;
    let filters = [
        Filter::Crop(crop),
        Filter::Mask(mask),
        Filter::Downsample(2),
    ];
    let events = [
        at(0, 1, 1),
        at(1, 2, 1),
        at(2, 3, 2),
        at(3, 5, 3),
        at(4, 6, 3),
        at(5, 5, 4),
    ];
    let (found, dropped) = passed(&filters, (8, 8), &events);
    assert_eq!(found, [at(1, 0, 0), at(3, 1, 1)]);
    assert_eq!(dropped, 4);
    let filters = Filters::new(&filters, (8, 8), LIMIT).expect("filters");
    assert_eq!(filters.size(), (2, 2));
}

#[test]
fn drops_and_jitter_are_those_of_their_seed() {
    let events: Vec<_> = (0..4000).map(|t| at(t * 100, 0, 0)).collect();
    let drop = |probability, seed| passed(&[Filter::Drop { probability, seed }], (1, 1), &events).0;
    assert_eq!(drop(0.0, 1), events);
    assert_eq!(drop(1.0, 1), []);
    assert_eq!(drop(0.25, 1), drop(0.25, 1));
    assert_ne!(drop(0.25, 1), drop(0.25, 2));
    let kept = drop(0.25, 1).len() as f64;
    // Five standard deviations.
    assert!((kept - 3000.0).abs() < 5.0 * (4000.0_f64 * 0.25 * 0.75).sqrt());

    let jitter = |time, seed| passed(&[Filter::Jitter { time, seed }], (1, 1), &events).0;
    assert_eq!(jitter(0, 1), events);
    assert_eq!(jitter(3, 5), jitter(3, 5));
    let mut counts = [0_u32; 7];
    for (moved, event) in jitter(3, 5).iter().zip(&events) {
        counts[(moved.t - event.t + 3) as usize] += 1;
    }
    let expected = 4000.0 / 7.0;
    assert!(
        counts
            .iter()
            .all(|count| (f64::from(*count) - expected).abs() < 120.0),
        "{counts:?}"
    );
}

#[test]
fn events_of_no_pixel_stay_so() {
    let filters = [
        Filter::Refractory(5),
        Filter::Background(5),
        Filter::Downsample(2),
    ];
    let (found, dropped) = passed(&filters, (4, 4), &[at(0, 4, 0), at(0, 0, 4)]);
    assert_eq!((found.len(), dropped), (2, 0));
    assert!(found.iter().all(|event| event.x == u16::MAX));
}

#[test]
fn what_fits_no_sensor_is_refused() {
    let crop = |x, width| {
        Filter::Crop(Crop {
            x,
            y: 0,
            width,
            height: 1,
        })
    };
    for filter in [
        crop(0, 5),
        crop(u16::MAX, 2),
        crop(1, 0),
        Filter::Mask(vec![false; 15]),
        Filter::Downsample(0),
        Filter::Drop {
            probability: 1.5,
            seed: 0,
        },
        Filter::Drop {
            probability: f32::NAN,
            seed: 0,
        },
    ] {
        let found = Filters::new(std::slice::from_ref(&filter), (4, 4), LIMIT);
        assert!(matches!(found, Err(Error::Option { .. })), "{filter:?}");
    }
    let found = Filters::new(&[Filter::Refractory(1)], (u16::MAX, u16::MAX), LIMIT);
    assert!(matches!(found, Err(Error::Limit { .. })));
}
