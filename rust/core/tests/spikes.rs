//! Spikes as bits, against loops that look at one bit at a time.

use bitspike::Error;
use bitspike::simd::Isa;
use bitspike::spikes::layout::{padding_is_zero, words};
use bitspike::spikes::{
    Bf16, Element, F16, count, count_axis, count_rows, from_indices, pack, to_indices, unpack,
};
use proptest::prelude::*;
use std::fmt::Debug;

/// The sizes around word boundaries.
const SIZES: [usize; 8] = [0, 1, 63, 64, 65, 127, 128, 130];

/// Large enough that work is shared between threads.
const LARGE: (usize, usize) = (700, 1030);

fn bit(words: &[u64], neurons: usize, row: usize, neuron: usize) -> bool {
    words[row * self::words(neurons) + neuron / 64] >> (neuron % 64) & 1 == 1
}

/// Spikes that look random: a third of them, from a multiplicative hash.
fn dense(len: usize) -> Vec<bool> {
    (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 3 == 0)
        .collect()
}

/// Packs one bit at a time.
fn packed(dense: &[bool], rows: usize, neurons: usize) -> Vec<u64> {
    let row_len = words(neurons);
    let mut packed = vec![0; rows * row_len];
    for (i, _) in dense.iter().enumerate().filter(|(_, spike)| **spike) {
        packed[i / neurons * row_len + i % neurons / 64] |= 1 << (i % neurons % 64);
    }
    packed
}

fn sizes() -> impl Strategy<Value = (usize, usize)> {
    (
        0..6usize,
        prop_oneof![prop::sample::select(SIZES.to_vec()), 0..300usize],
    )
}

fn spikes() -> impl Strategy<Value = (usize, usize, Vec<bool>)> {
    sizes().prop_flat_map(|(rows, neurons)| {
        prop::collection::vec(any::<bool>(), rows * neurons)
            .prop_map(move |dense| (rows, neurons, dense))
    })
}

fn round_trip<T: Element + Debug>(dense: &[bool], rows: usize, neurons: usize) {
    let numbers: Vec<T> = dense
        .iter()
        .map(|&spike| if spike { T::ONE } else { T::ZERO })
        .collect();
    let expected = packed(dense, rows, neurons);
    for &isa in Isa::available() {
        let mut words = vec![u64::MAX; expected.len()];
        assert_eq!(pack(isa, &numbers, rows, neurons, &mut words), Ok(0));
        assert_eq!(words, expected, "{isa:?}");
        assert!(padding_is_zero(&words, rows, neurons).unwrap());
        let mut unpacked: Vec<T> = numbers.iter().rev().copied().collect();
        unpack(isa, &words, rows, neurons, &mut unpacked).unwrap();
        assert_eq!(unpacked, numbers, "{isa:?}");
    }
}

fn round_trips(dense: &[bool], rows: usize, neurons: usize) {
    round_trip::<f32>(dense, rows, neurons);
    round_trip::<f64>(dense, rows, neurons);
    round_trip::<u8>(dense, rows, neurons);
    round_trip::<Bf16>(dense, rows, neurons);
    round_trip::<F16>(dense, rows, neurons);
}

#[test]
fn sizes_around_words_round_trip() {
    for neurons in SIZES {
        for rows in [0, 1, 3] {
            round_trips(&dense(rows * neurons), rows, neurons);
        }
    }
    let (rows, neurons) = LARGE;
    round_trips(&dense(rows * neurons), rows, neurons);
}

/// Every special value at every place of a row that ends in a partial vector.
#[test]
fn numbers_that_are_not_spikes_are_counted() {
    let tiny = f32::from_bits(1);
    let next_to_one = [
        f32::from_bits(1.0f32.to_bits() - 1),
        f32::from_bits(1.0f32.to_bits() + 1),
    ];
    let others = [
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        tiny,
        -tiny,
        -1.0,
        2.0,
        f32::MAX,
    ];
    for &isa in Isa::available() {
        for neurons in [1, 7, 64, 93] {
            for place in 0..neurons {
                for other in others.into_iter().chain(next_to_one) {
                    let mut numbers = vec![0.0f32; neurons];
                    numbers[place] = other;
                    let mut words = vec![0; words(neurons)];
                    assert_eq!(
                        pack(isa, &numbers, 1, neurons, &mut words),
                        Ok(1),
                        "{other:e}"
                    );
                    assert!(bit(&words, neurons, 0, place));
                    assert_eq!(count(isa, &words), 1);
                }
            }
        }
    }
}

#[test]
fn negative_zero_is_no_spike_and_halves_have_two_zeros() {
    for &isa in Isa::available() {
        let mut words = [u64::MAX];
        assert_eq!(pack(isa, &[-0.0f32, 1.0], 1, 2, &mut words), Ok(0));
        assert_eq!(words, [2]);
        assert_eq!(
            pack(isa, &[-0.0f64, f64::NAN, 1e-300], 1, 3, &mut words),
            Ok(2)
        );
        assert_eq!(words, [6]);
        assert_eq!(
            pack(
                isa,
                &[Bf16(0x8000), Bf16(0x3f80), Bf16(0x7fc0)],
                1,
                3,
                &mut words
            ),
            Ok(1)
        );
        assert_eq!(words, [6]);
        assert_eq!(
            pack(
                isa,
                &[F16(0x8000), F16(0x3c00), F16(0xbc00)],
                1,
                3,
                &mut words
            ),
            Ok(1)
        );
        assert_eq!(words, [6]);
        assert_eq!(pack(isa, &[0u8, 1, 255], 1, 3, &mut words), Ok(1));
        assert_eq!(words, [6]);
    }
}

#[test]
fn wrong_lengths_are_named() {
    let isa = Isa::Scalar;
    let length = |what, found, expected| {
        Err(Error::Length {
            what,
            found,
            expected,
        })
    };
    assert_eq!(
        pack(isa, &[0.0f32; 5], 2, 3, &mut [0; 2]),
        length("numbers", 5, 6).map(|()| 0)
    );
    assert_eq!(
        unpack(isa, &[0; 3], 2, 3, &mut [0.0f32; 6]),
        length("words", 3, 2)
    );
    assert_eq!(
        count_rows(isa, &[0; 2], 2, 3, &mut [0; 3]),
        length("counts", 3, 2)
    );
    assert_eq!(
        count_axis(isa, &[0; 2], 1, 2, 1, 3, &mut [0.0; 2]),
        length("counts", 2, 3)
    );
    assert_eq!(
        to_indices(isa, &[1, 1], 2, 3, false, &mut [0; 3], &mut [0; 3]),
        length("indices", 3, 2)
    );
    assert_eq!(
        unpack::<f32>(isa, &[], usize::MAX, 3, &mut []),
        Err(Error::Overflow { what: "numbers" })
    );
}

fn counts_match(dense: &[bool], rows: usize, neurons: usize) {
    let words = packed(dense, rows, neurons);
    let row_count = |row| (0..neurons).filter(|&n| dense[row * neurons + n]).count() as u64;
    let by_row: Vec<_> = (0..rows).map(row_count).collect();
    for &isa in Isa::available() {
        assert_eq!(count(isa, &words), by_row.iter().sum::<u64>());
        let mut counts = vec![9; rows];
        count_rows(isa, &words, rows, neurons, &mut counts).unwrap();
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
        count_axis(isa, &words, outer, axis, inner, neurons, &mut counts).unwrap();
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
            .unwrap();
            assert_eq!((found_starts, found), (starts.clone(), indices.clone()));
        }
        let mut back = vec![u64::MAX; words.len()];
        from_indices(&starts, &indices, rows, neurons, base == 1, &mut back).unwrap();
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

proptest! {
    #[test]
    fn random_spikes_round_trip((rows, neurons, dense) in spikes()) {
        round_trips(&dense, rows, neurons);
        counts_match(&dense, rows, neurons);
        indices_match(&dense, rows, neurons);
    }

    #[test]
    fn random_numbers_pack_as_one_by_one(
        (rows, neurons, numbers) in sizes().prop_flat_map(|(rows, neurons)| {
            let number = prop_oneof![Just(0.0f32), Just(-0.0), Just(1.0), any::<f32>()];
            (Just(rows), Just(neurons), prop::collection::vec(number, rows * neurons))
        })
    ) {
        let spikes: Vec<bool> = numbers.iter().map(|&x| x != 0.0).collect();
        let others = numbers.iter().filter(|&&x| x != 0.0 && x != 1.0).count();
        for &isa in Isa::available() {
            let mut words = vec![u64::MAX; rows * words(neurons)];
            prop_assert_eq!(pack(isa, &numbers, rows, neurons, &mut words), Ok(others));
            prop_assert_eq!(words, packed(&spikes, rows, neurons));
        }
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
