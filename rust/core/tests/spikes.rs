//! Spikes as bits, against loops that look at one bit at a time.

use bitspike::Error;
use bitspike::simd::Isa;
use bitspike::spikes::layout::{padding_is_zero, words};
use bitspike::spikes::{
    Bf16, Element, F16, Stream, bernoulli, count, count_axis, count_rows, from_events,
    from_indices, pack, to_events, to_indices, transpose, unpack,
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

fn draw(
    isa: Isa,
    stream: Stream,
    p: &[f32],
    period: usize,
    rows: usize,
    neurons: usize,
) -> Vec<u64> {
    let mut drawn = vec![u64::MAX; rows * words(neurons)];
    bernoulli(isa, stream, p, period, rows, neurons, &mut drawn).expect("the lengths fit");
    assert!(padding_is_zero(&drawn, rows, neurons).expect("the lengths fit"));
    drawn
}

fn unpacked(words: &[u64], rows: usize, neurons: usize) -> Vec<bool> {
    (0..rows * neurons)
        .map(|i| bit(words, neurons, i / neurons, i % neurons))
        .collect()
}

#[test]
fn random_spikes_depend_on_their_place_in_the_stream_only() {
    let seed = 0x0123_4567_89ab_cdef;
    // As if the stream were one long row of one sample.
    let (total, first) = (40_000, u64::from(u32::MAX) - 500);
    let start = Stream { seed, first };
    let long = draw(Isa::Scalar, start, &vec![0.3; total], 1, 1, total);
    let long = unpacked(&long, 1, total);
    for &isa in Isa::available() {
        for neurons in [1, 3, 64, 65, 130, 1030] {
            let rows = total / neurons;
            let drawn = draw(isa, start, &vec![0.3; neurons], 1, rows, neurons);
            assert_eq!(
                unpacked(&drawn, rows, neurons),
                long[..rows * neurons],
                "{isa:?} {neurons}"
            );
            for skipped in [1, 2, 3, 4, 29] {
                let later = Stream {
                    seed,
                    first: first + skipped as u64,
                };
                let drawn = draw(isa, later, &vec![0.3; neurons], 1, 5, neurons);
                let expected = &long[skipped..skipped + 5 * neurons];
                assert_eq!(unpacked(&drawn, 5, neurons), expected, "{isa:?} {neurons}");
            }
        }
    }
}

#[test]
fn large_draws_are_the_same_on_every_isa() {
    let (rows, neurons) = LARGE;
    let stream = Stream { seed: 5, first: 2 };
    let p: Vec<f32> = (0..neurons * 7)
        .map(|i| i as f32 / (neurons * 7) as f32)
        .collect();
    let drawn = draw(Isa::Scalar, stream, &p, 7, rows, neurons);
    for &isa in Isa::available() {
        assert_eq!(draw(isa, stream, &p, 7, rows, neurons), drawn, "{isa:?}");
    }
    // Row by row, as one thread would without blocks of rows.
    for (row, expected) in drawn.chunks(words(neurons)).enumerate() {
        let stream = Stream {
            seed: 5,
            first: 2 + (row * neurons) as u64,
        };
        let p = &p[row % 7 * neurons..][..neurons];
        assert_eq!(draw(Isa::Scalar, stream, p, 1, 1, neurons), expected);
    }
    assert_ne!(
        draw(
            Isa::Scalar,
            Stream { seed: 6, first: 2 },
            &p,
            7,
            rows,
            neurons
        ),
        drawn
    );
}

/// The mean of a million draws lies within five standard deviations.
#[test]
fn random_spikes_have_their_probability() {
    for p in [0.001f32, 0.1, 0.5, 0.9, 0.999] {
        let (rows, neurons) = (1000, 1000);
        let stream = Stream {
            seed: u64::from(p.to_bits()),
            first: 0,
        };
        let drawn = draw(Isa::Scalar, stream, &vec![p; neurons], 1, rows, neurons);
        let total = (rows * neurons) as f64;
        let rate = count(Isa::Scalar, &drawn) as f64 / total;
        let p = f64::from(p);
        assert!(
            (rate - p).abs() < 5.0 * (p * (1.0 - p) / total).sqrt(),
            "{rate} for {p}"
        );
        // Neighbours are independent: both fire with probability p². Pairs that share an element
        // are not, hence the second term of the variance.
        let spikes = unpacked(&drawn, rows, neurons);
        for apart in [1, 4, neurons] {
            let both = spikes
                .iter()
                .zip(&spikes[apart..])
                .filter(|(a, b)| **a && **b)
                .count() as f64;
            let pairs = total - apart as f64;
            let variance = pairs * (p * p * (1.0 - p * p) + 2.0 * p.powi(3) * (1.0 - p));
            assert!(
                (both - p * p * pairs).abs() < 5.0 * variance.sqrt(),
                "{both} for {p}"
            );
        }
    }
}

#[test]
fn impossible_and_certain_spikes() {
    let never = [0.0, -0.0, -1.0, f32::NEG_INFINITY, f32::NAN];
    let always = [1.0, 1.5, f32::INFINITY];
    let stream = Stream { seed: 3, first: 1 };
    for &isa in Isa::available() {
        for p in never {
            let drawn = draw(isa, stream, &[p; 77], 1, 500, 77);
            assert_eq!(count(isa, &drawn), 0, "{p}");
        }
        for p in always {
            let drawn = draw(isa, stream, &[p; 77], 1, 500, 77);
            assert_eq!(count(isa, &drawn), 500 * 77, "{p}");
        }
        let nothing = Err(Error::Length {
            what: "probabilities",
            found: 0,
            expected: 3,
        });
        assert_eq!(bernoulli(isa, stream, &[], 0, 2, 3, &mut [0; 2]), nothing);
        assert_eq!(bernoulli(isa, stream, &[], 0, 0, 3, &mut []), Ok(()));
        assert_eq!(bernoulli(isa, stream, &[], 4, 9, 0, &mut []), Ok(()));
    }
}

proptest! {
    #[test]
    fn random_spikes_round_trip((rows, neurons, dense) in spikes()) {
        round_trips(&dense, rows, neurons);
        counts_match(&dense, rows, neurons);
        indices_match(&dense, rows, neurons);
        transposes(&dense, rows, neurons);
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
        events_match(&dense, [shape[0] * shape[1], shape[2], neurons]);
    }
}
