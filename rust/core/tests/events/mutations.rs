//! Files with a few bytes changed: refused, or read within bounded memory.
//!
//! `BITSPIKE_MUTATIONS` says how many of each format; by default some hundreds.

use crate::case::{events, formats, written};
use bitspike::events::{Event, Events, Format, Options, Reader, Sink};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

fn mutations() -> usize {
    let asked = std::env::var("BITSPIKE_MUTATIONS").ok();
    asked.map_or(400, |count| count.parse().expect("a number"))
}

/// A linear congruential sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    /// Changes, removes, repeats or adds something somewhere, up to so many times.
    fn mutate(&mut self, bytes: &mut Vec<u8>, times: usize) {
        const PIECES: [&[u8]; 6] = [
            &[0xff; 4],
            &[0xff, 0xff, 0xff, 0x7f],
            &[0; 8],
            &[0, 0, 0, 0x80],
            b"% evt 3.0\n",
            b"#!AER-DAT3.1\r\n",
        ];
        for _ in 0..=self.below(times) {
            if bytes.is_empty() {
                return;
            }
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(12)).min(bytes.len());
            match self.below(5) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                3 => drop(bytes.splice(at..end, PIECES[self.below(PIECES.len())].iter().copied())),
                _ => bytes.truncate(at),
            }
        }
    }
}

/// Counts events, and keeps none.
#[derive(Default)]
struct Counted(u64);

impl Sink for Counted {
    fn event(&mut self, _: Event) {
        self.0 += 1;
    }
}

/// The most events that a byte can be.
const PER_BYTE: u64 = 6;

#[test]
fn mutated_files_are_refused_or_read() {
    let mut runner = TestRunner::deterministic();
    let mut seen = vec![[0_usize; 2]; Format::ALL.len()];
    let rounds = mutations() / 10 * Format::ALL.len();
    for round in 0..rounds as u64 {
        let (format, options) = formats().new_tree(&mut runner).expect("a format").current();
        let file = events(format, options, 6)
            .new_tree(&mut runner)
            .expect("events")
            .current();
        let bytes = written(format, &options, &file);
        for i in 0..10 {
            let (mut random, mut mutated) = (Random(round * 10 + i), bytes.clone());
            random.mutate(&mut mutated, 3);
            let (mut reader, mut counted) = (Reader::new(options), Counted::default());
            let size = 1 + random.below(mutated.len());
            let result = mutated
                .chunks(size)
                .try_for_each(|piece| reader.push(piece, &mut counted))
                .and_then(|()| reader.finish(&mut counted));
            assert_eq!(reader.report().events, counted.0);
            let compressed = format == Format::Aedat4;
            assert!(compressed || counted.0 <= PER_BYTE * mutated.len() as u64);
            let number = Format::ALL.iter().position(|known| *known == format);
            seen[number.expect("a format")][usize::from(result.is_ok())] += 1;
        }
    }
    for (format, [refused, read]) in Format::ALL.iter().zip(seen) {
        assert!(read > 0, "{format}: all {refused} are refused");
        let has_header = *format != Format::Nmnist;
        assert!(
            refused > 0 || !has_header,
            "{format}: none of {read} is refused"
        );
    }
}

#[test]
fn noise_is_refused_or_read() {
    let mut random = Random(7);
    for format in Format::ALL {
        let options = Options {
            format: Some(format),
            ..Options::default()
        };
        for i in 0..mutations() / 10 {
            let header = written(format, &options, &Events::default());
            let noise = (0..i % 500).map(|_| random.below(256) as u8);
            let bytes: Vec<_> = header.into_iter().chain(noise).collect();
            let (mut reader, mut counted) = (Reader::new(options), Counted::default());
            let _ = reader.push(&bytes, &mut counted);
            let _ = reader.finish(&mut counted);
            assert!(counted.0 <= PER_BYTE * bytes.len() as u64);
        }
    }
}
