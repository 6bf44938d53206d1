//! Random spikes.

use crate::{LARGE, unpacked};
use bitspike::Error;
use bitspike::simd::Isa;
use bitspike::spikes::layout::{padding_is_zero, words};
use bitspike::spikes::{Stream, bernoulli, count};

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
