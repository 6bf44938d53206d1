//! Numbers to bits and back.

use crate::{LARGE, SIZES, bit, dense, packed, sizes, spikes};
use bitspike::Error;
use bitspike::simd::Isa;
use bitspike::spikes::layout::{padding_is_zero, words};
use bitspike::spikes::{Bf16, Element, F16, count, pack, unpack};
use proptest::prelude::*;
use std::fmt::Debug;

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
        assert!(padding_is_zero(&words, rows, neurons).expect("the lengths fit"));
        let mut unpacked: Vec<T> = numbers.iter().rev().copied().collect();
        unpack(isa, &words, rows, neurons, &mut unpacked).expect("the lengths fit");
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
fn set_padding_is_found() {
    for neurons in SIZES {
        let mut words = vec![u64::MAX; 2 * words(neurons)];
        assert_eq!(padding_is_zero(&words, 2, neurons), Ok(neurons % 64 == 0));
        words.fill(0);
        assert_eq!(padding_is_zero(&words, 2, neurons), Ok(true));
    }
}

#[test]
fn wrong_lengths_are_named() {
    let isa = Isa::Scalar;
    let short = Error::Length {
        what: "numbers",
        found: 5,
        expected: 6,
    };
    assert_eq!(pack(isa, &[0.0f32; 5], 2, 3, &mut [0; 2]), Err(short));
    let long = Error::Length {
        what: "spikes",
        found: 3,
        expected: 2,
    };
    assert_eq!(unpack(isa, &[0; 3], 2, 3, &mut [0.0f32; 6]), Err(long));
    let huge = Error::Overflow { what: "numbers" };
    assert_eq!(unpack::<f32>(isa, &[], usize::MAX, 3, &mut []), Err(huge));
}

proptest! {
    #[test]
    fn random_spikes_round_trip((rows, neurons, dense) in spikes()) {
        round_trips(&dense, rows, neurons);
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
}
