//! Files and states with a few bytes changed: refused, or networks that run.
//!
//! `BITSPIKE_MUTATIONS` says how many of each; by default some hundreds.

use crate::case::Case;
use crate::file::File;
use crate::integer_case::IntegerCase;
use crate::layers::layers;
use bitspike::network::{Input, Network};
use bitspike::simd::Isa;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::ops::Range;

/// Most memory of a state that is worth a step.
const MEMORY: usize = 1 << 22;

fn mutations() -> u64 {
    let asked = std::env::var("BITSPIKE_MUTATIONS").ok();
    asked.map_or(600, |count| count.parse().expect("a number"))
}

/// A linear congruential sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % limit.max(1)
    }

    /// Changes, removes, repeats or adds something somewhere, up to so many times.
    fn mutate(&mut self, bytes: &mut Vec<u8>, times: usize) {
        const PIECES: [&str; 18] = [
            "32768",
            "4294967295",
            "\"arith\":\"i32\",",
            "{\"shift\":24,\"round\":\"floor\"}",
            "99999999999",
            "18446744073709551615",
            "-1",
            "0",
            "1e39",
            "null",
            "true",
            "[]",
            "{}",
            "\"prev:x\"",
            "\"x\"",
            "[1,1]",
            "\\u0000",
            "\"op\":\"orpool\",",
        ];
        for _ in 0..=self.below(times) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(12)).min(bytes.len());
            match self.below(5) {
                0 if bytes[at].is_ascii_digit() => bytes[at] = b'0' + self.below(10) as u8,
                0 => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                3 => drop(bytes.splice(at..end, PIECES[self.below(PIECES.len())].bytes())),
                _ => bytes.truncate(at),
            }
            if bytes.is_empty() {
                return;
            }
        }
    }
}

/// The places of the texts and the numbers of a JSON.
fn tokens(json: &str) -> [Vec<Range<usize>>; 2] {
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut at = 0;
    while let Some(c) = json[at..].chars().next() {
        let rest = &json[at + 1..];
        let (list, len) = match c {
            '"' => (&mut texts, 2 + rest.find('"').unwrap_or(rest.len())),
            _ if is_number(c) => {
                let end = rest.find(|c| !is_number(c));
                (&mut numbers, 1 + end.unwrap_or(rest.len()))
            }
            _ => {
                at += 1;
                continue;
            }
        };
        list.push(at..at + len);
        at += len;
    }
    [texts, numbers]
}

impl Random {
    /// Puts a text of the JSON where another one is, or a number.
    fn exchange(&mut self, json: &mut String) {
        let tokens = &tokens(json)[self.below(2)];
        let [from, to] = [0; 2].map(|_| tokens[self.below(tokens.len())].clone());
        let token = json[from].to_owned();
        json.replace_range(to, &token);
    }
}

/// Runs some steps of a network that was read.
fn run(network: &Network) {
    if network.memory(2).is_ok_and(|bytes| bytes <= MEMORY) {
        let mut state = network.state(2).expect("a state");
        for _ in 0..3 {
            network
                .step(&mut state, Input::Events(&[0]))
                .expect("a step");
        }
    }
}

/// Random networks, every other one in integers.
fn files() -> impl Iterator<Item = (u64, File)> {
    let mut runner = TestRunner::deterministic();
    (0..).map(move |seed| {
        if seed % 2 == 1 {
            return (seed, IntegerCase::new(seed).file);
        }
        let layers = layers().new_tree(&mut runner).expect("layers").current();
        (seed, Case::new(Isa::Scalar, &layers, 1, seed).file)
    })
}

#[test]
fn mutated_files_are_refused_or_run() {
    let mut read = 0;
    for (seed, file) in files().take(mutations() as usize / 10) {
        let bytes = file.bytes();
        for i in 0..10 {
            let (mut random, mut mutated) = (Random(seed * 10 + i), bytes.clone());
            random.mutate(&mut mutated, 3);
            if let Ok(network) = Network::from_bytes(&mutated) {
                assert_eq!(
                    network.digest(),
                    Network::from_bytes(&bytes).expect("it").digest()
                );
                read += 1;
            }
        }
    }
    assert!(
        read < mutations() / 10,
        "the digest hardly ever notices: {read}"
    );
}

#[test]
fn mutated_graphs_with_the_right_digest_are_refused_or_run() {
    let mut read = 0;
    for (seed, file) in files().take(mutations() as usize / 10) {
        for i in 0..10 {
            let (mut graph, mut random) = (file.graph(), Random(seed * 10 + i));
            if i % 2 == 0 {
                random.exchange(&mut graph);
            } else {
                let mut bytes = graph.into_bytes();
                random.mutate(&mut bytes, 3);
                graph = String::from_utf8_lossy(&bytes).into_owned();
            }
            if let Ok(bytes) = file.with_graph(&graph) {
                run(&Network::from_bytes(&bytes).expect("what was written"));
                read += 1;
            }
        }
    }
    assert!(
        read > mutations() / 100,
        "too few mutations reach the steps: {read}"
    );
}

#[test]
fn mutated_states_are_refused_or_run() {
    for (seed, file) in files().take(mutations() as usize / 10) {
        let network = file.network(Isa::Scalar);
        let mut state = network.state(1).expect("a state");
        network
            .step(&mut state, Input::Events(&[0, 7]))
            .expect("a step");
        let saved = network.save(&state).expect("its own");
        for i in 0..10 {
            let mut mutated = saved.clone();
            Random(seed * 10 + i).mutate(&mut mutated, 3);
            let before = network.save(&state).expect("its own");
            if network.restore(&mut state, &mutated).is_err() {
                assert_eq!(network.save(&state).expect("its own"), before);
            }
            network
                .step(&mut state, Input::Events(&[1]))
                .expect("a step");
        }
    }
}
