//! Spikes as lists of indices and of events.

use crate::{LARGE, SIZES, dense, packed, spikes};
use bitspike::Error;
use bitspike::simd::Isa;
use bitspike::spikes::{from_events, from_indices, to_events, to_indices};
use proptest::prelude::*;

fn indices_match(dense: &[bool], rows: usize, neurons: usize) {
    let words = packed(dense, rows, neurons);
    for base in [0, 1] {
        let (mut starts, mut indices) = (vec![0], Vec::new());
        for row in 0..rows {
            let fires = |n: &usize| dense[row * neurons + n];
            indices.extend((0..neurons).filter(fires).map(|n| n as u32 + base));
            starts.push(indices.len() as u64);
        }
        for &isa in Isa::available() {
            let (mut found_starts, mut found) = (vec![9; rows + 1], vec![9; indices.len()]);
            to_indices(
                isa,
                &words,
                rows,
                neurons,
                base == 1,
                &mut found_starts,
                &mut found,
            )
            .expect("the lengths fit");
            assert_eq!((found_starts, found), (starts.clone(), indices.clone()));
        }
        let mut back = vec![u64::MAX; words.len()];
        from_indices(&starts, &indices, rows, neurons, base == 1, &mut back)
            .expect("the lengths fit");
        assert_eq!(back, words);
    }
}

#[test]
fn indices_of_large_and_full_rows() {
    let (rows, neurons) = LARGE;
    indices_match(&dense(rows * neurons), rows, neurons);
    for neurons in SIZES {
        indices_match(&vec![true; 2 * neurons], 2, neurons);
    }
}

#[test]
fn bad_indices_are_refused_and_nothing_is_written() {
    let out_of_range = |what, found, limit| Err(Error::OutOfRange { what, found, limit });
    let mut words = [7; 2];
    let mut from = |starts: &[u64], indices: &[u32], one_based| {
        let result = from_indices(starts, indices, 2, 10, one_based, &mut words);
        assert_eq!(words, [7; 2]);
        result
    };
    assert_eq!(
        from(&[0, 1, 2], &[0, 10], false),
        out_of_range("an index", 10, 10)
    );
    assert_eq!(
        from(&[0, 1, 2], &[0, 10], true),
        out_of_range("an index, less one,", -1, 10)
    );
    assert_eq!(
        from(&[0, 1, 2], &[1, 11], true),
        out_of_range("an index, less one,", 10, 10)
    );
    assert_eq!(
        from(&[0, 3, 2], &[1, 2], false),
        out_of_range("an element of starts", 3, 3)
    );
    assert_eq!(
        from(&[1, 1, 2], &[1, 2], false),
        out_of_range("an element of starts", 1, 3)
    );
    let short = Err(Error::Length {
        what: "indices",
        found: 2,
        expected: 1,
    });
    assert_eq!(from(&[0, 1, 1], &[1, 2], false), short);
    assert!(from(&[0, 2], &[1, 2], false).is_err());
}

#[test]
fn an_index_buffer_of_the_wrong_length_is_named() {
    let long = Error::Length {
        what: "indices",
        found: 3,
        expected: 2,
    };
    let found = to_indices(Isa::Scalar, &[1, 1], 2, 3, false, &mut [0; 3], &mut [0; 3]);
    assert_eq!(found, Err(long));
}

fn events_match(dense: &[bool], shape: [usize; 3]) {
    let [steps, samples, neurons] = shape;
    let words = packed(dense, steps * samples, neurons);
    let fired = || {
        dense
            .iter()
            .enumerate()
            .filter(|(_, spike)| **spike)
            .map(|(i, _)| i)
    };
    let of = |f: &dyn Fn(usize) -> usize| fired().map(|i| f(i) as i64).collect::<Vec<_>>();
    let t = of(&|i| i / neurons / samples);
    let b = of(&|i| i / neurons % samples);
    let n = of(&|i| i % neurons);
    for &isa in Isa::available() {
        let (mut found_t, mut found_b, mut found_n) =
            (vec![9; t.len()], vec![9; t.len()], vec![9; t.len()]);
        to_events(isa, &words, shape, &mut found_t, &mut found_b, &mut found_n)
            .expect("the lengths fit");
        assert_eq!((&found_t, &found_b, &found_n), (&t, &b, &n));
    }
    // Backwards, and each twice.
    let twice = |v: &[i64]| v.iter().rev().flat_map(|&x| [x, x]).collect::<Vec<_>>();
    let mut back = vec![u64::MAX; words.len()];
    from_events(&twice(&t), &twice(&b), &twice(&n), shape, &mut back).expect("the lengths fit");
    assert_eq!(back, words);
}

#[test]
fn events_of_large_and_full_sequences() {
    let (rows, neurons) = LARGE;
    events_match(&dense(rows * neurons), [rows / 7, 7, neurons]);
    for neurons in SIZES {
        events_match(&vec![true; 6 * neurons], [3, 2, neurons]);
    }
}

#[test]
fn events_outside_the_shape_are_refused_and_nothing_is_written() {
    let mut words = [5; 6];
    let mut from = |t, b, n| {
        let result = from_events(&[0, t], &[0, b], &[0, n], [2, 3, 4], &mut words);
        assert!(words == [5; 6] || result.is_ok());
        result
    };
    let out_of_range = |what, found, limit| Err(Error::OutOfRange { what, found, limit });
    assert_eq!(from(2, 0, 0), out_of_range("t of an event", 2, 2));
    assert_eq!(from(0, 3, 0), out_of_range("b of an event", 3, 3));
    assert_eq!(from(0, 0, 4), out_of_range("n of an event", 4, 4));
    assert_eq!(
        from(i64::MIN, 0, 0),
        out_of_range("t of an event", i64::MIN, 2)
    );
    assert_eq!(from(0, -1, 0), out_of_range("b of an event", -1, 3));
    assert_eq!(
        from(0, 0, i64::MAX),
        out_of_range("n of an event", i64::MAX, 4)
    );
    assert_eq!(from(1, 2, 3), Ok(()));
    assert_eq!(words, [1, 0, 0, 0, 0, 8]);
    let short = Err(Error::Length {
        what: "n",
        found: 1,
        expected: 2,
    });
    assert_eq!(
        from_events(&[0, 0], &[0, 0], &[0], [2, 3, 4], &mut words),
        short
    );
    let many = Err(Error::Length {
        what: "t",
        found: 1,
        expected: 2,
    });
    assert_eq!(
        to_events(Isa::Scalar, &words, [2, 3, 4], &mut [0], &mut [0], &mut [0]),
        many
    );
}

proptest! {
    #[test]
    fn random_spikes_are_listed(samples in 1..4usize, (steps, neurons, dense) in spikes()) {
        indices_match(&dense, steps, neurons);
        events_match(&dense.repeat(samples), [steps, samples, neurons]);
    }
}
