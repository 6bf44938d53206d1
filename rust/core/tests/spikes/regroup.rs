//! Long rows cut into short ones.

use crate::{SIZES, dense, packed};
use bitspike::Error;
use bitspike::spikes::cut_rows;
use proptest::prelude::*;

fn cuts(dense: &[bool], rows: usize, parts: usize, neurons: usize) {
    let joined = packed(dense, rows, parts * neurons);
    let expected = packed(dense, rows * parts, neurons);
    let mut cut = vec![u64::MAX; expected.len()];
    cut_rows(&joined, rows, parts, neurons, &mut cut).expect("the lengths fit");
    assert_eq!(cut, expected, "{rows} x {parts} x {neurons}");
}

#[test]
fn sizes_around_words_are_cut() {
    for neurons in SIZES {
        for parts in [0, 1, 2, 7, 13] {
            cuts(&dense(3 * parts * neurons), 3, parts, neurons);
        }
    }
}

#[test]
fn wrong_lengths_are_named() {
    let error = |joined: &[u64], cut: &mut [u64]| {
        cut_rows(joined, 1, 2, 40, cut).expect_err("a wrong length")
    };
    assert!(matches!(
        error(&[0], &mut [0; 2]),
        Error::Length {
            what: "spikes",
            expected: 2,
            ..
        }
    ));
    assert!(matches!(
        error(&[0; 2], &mut [0]),
        Error::Length {
            what: "cut",
            expected: 2,
            ..
        }
    ));
}

proptest! {
    #[test]
    fn any_rows_are_cut(
        (rows, parts, neurons, dense) in (0..5usize, 0..9usize, 0..150usize).prop_flat_map(
            |(rows, parts, neurons)| {
                let dense = proptest::collection::vec(any::<bool>(), rows * parts * neurons);
                (Just(rows), Just(parts), Just(neurons), dense)
            }
        )
    ) {
        cuts(&dense, rows, parts, neurons);
    }
}
