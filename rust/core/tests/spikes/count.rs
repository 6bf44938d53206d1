//! How many spikes there are.

use crate::{LARGE, dense, packed, spikes};
use bitspike::Error;
use bitspike::simd::Isa;
use bitspike::spikes::{count, count_axis, count_rows};
use proptest::prelude::*;

fn counts_match(dense: &[bool], rows: usize, neurons: usize) {
    let words = packed(dense, rows, neurons);
    let row_count = |row| (0..neurons).filter(|&n| dense[row * neurons + n]).count() as u64;
    let by_row: Vec<_> = (0..rows).map(row_count).collect();
    for &isa in Isa::available() {
        assert_eq!(count(isa, &words), by_row.iter().sum::<u64>());
        let mut counts = vec![9; rows];
        count_rows(isa, &words, rows, neurons, &mut counts).expect("the lengths fit");
        assert_eq!(counts, by_row);
    }
}

fn axis_counts_match(dense: &[bool], [outer, axis, inner]: [usize; 3], neurons: usize) {
    let words = packed(dense, outer * axis * inner, neurons);
    let mut expected = vec![0.0; outer * inner * neurons];
    for (i, _) in dense.iter().enumerate().filter(|(_, spike)| **spike) {
        let (neuron, row) = (i % neurons, i / neurons);
        let (o, i) = (row / inner / axis, row % inner);
        expected[(o * inner + i) * neurons + neuron] += 1.0;
    }
    for &isa in Isa::available() {
        let mut counts = vec![9.0; expected.len()];
        count_axis(isa, &words, outer, axis, inner, neurons, &mut counts).expect("the lengths fit");
        assert_eq!(counts, expected, "{isa:?}");
    }
}

#[test]
fn long_axes_and_large_tensors_are_counted() {
    for axis in [0, 1, 254, 255, 256, 511, 1000] {
        axis_counts_match(&vec![true; 2 * axis * 3 * 70], [2, axis, 3], 70);
    }
    let (rows, neurons) = LARGE;
    axis_counts_match(&dense(rows * neurons), [7, 50, 2], neurons);
    axis_counts_match(&dense(rows * neurons), [1, rows, 1], neurons);
    counts_match(&dense(rows * neurons), rows, neurons);
}

#[test]
fn wrong_lengths_are_named() {
    let isa = Isa::Scalar;
    let long = Error::Length {
        what: "counts",
        found: 3,
        expected: 2,
    };
    assert_eq!(count_rows(isa, &[0; 2], 2, 3, &mut [0; 3]), Err(long));
    let short = Error::Length {
        what: "counts",
        found: 2,
        expected: 3,
    };
    assert_eq!(
        count_axis(isa, &[0; 2], 1, 2, 1, 3, &mut [0.0; 2]),
        Err(short)
    );
    let huge = Error::Overflow { what: "spikes" };
    assert_eq!(
        count_axis(isa, &[], usize::MAX, 2, 1, 3, &mut []),
        Err(huge)
    );
}

proptest! {
    #[test]
    fn random_spikes_are_counted((rows, neurons, dense) in spikes()) {
        counts_match(&dense, rows, neurons);
    }

    #[test]
    fn random_axes_are_counted(
        (shape, neurons, dense) in (0..4usize, 0..20usize, 0..4usize, 0..150usize).prop_flat_map(
            |(outer, axis, inner, neurons)| {
                let dense = prop::collection::vec(any::<bool>(), outer * axis * inner * neurons);
                (Just([outer, axis, inner]), Just(neurons), dense)
            },
        )
    ) {
        axis_counts_match(&dense, shape, neurons);
    }
}
