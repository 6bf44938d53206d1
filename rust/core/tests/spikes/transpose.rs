//! Bits of a matrix, rows for columns.

use crate::{LARGE, SIZES, dense, packed, spikes};
use bitspike::Error;
use bitspike::simd::Isa;
use bitspike::spikes::transpose;
use proptest::prelude::*;

fn transposes(dense: &[bool], rows: usize, columns: usize) {
    let matrix = packed(dense, rows, columns);
    let across: Vec<bool> = (0..columns * rows)
        .map(|i| dense[i % rows * columns + i / rows])
        .collect();
    let expected = packed(&across, columns, rows);
    for &isa in Isa::available() {
        let mut transposed = vec![u64::MAX; expected.len()];
        transpose(isa, &matrix, rows, columns, &mut transposed).expect("the lengths fit");
        assert_eq!(transposed, expected, "{isa:?}");
    }
}

#[test]
fn sizes_around_words_transpose() {
    for rows in SIZES {
        for columns in SIZES {
            transposes(&dense(rows * columns), rows, columns);
        }
    }
    let (rows, columns) = LARGE;
    transposes(&dense(rows * columns), rows, columns);
}

#[test]
fn a_result_of_the_wrong_length_is_named() {
    let short = Error::Length {
        what: "transposed",
        found: 2,
        expected: 3,
    };
    assert_eq!(
        transpose(Isa::Scalar, &[0; 2], 2, 3, &mut [0; 2]),
        Err(short)
    );
}

proptest! {
    #[test]
    fn random_matrices_transpose((rows, columns, dense) in spikes()) {
        transposes(&dense, rows, columns);
    }
}
