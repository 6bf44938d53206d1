//! Classifies digits with a trained network from a file, and says how long a step takes.
//!
//! ```sh
//! cargo run --profile runtime --example classify_digits -- \
//!     rust/core/examples/digits/network.safetensors rust/core/examples/digits/digits.txt
//! ```
//!
//! `integers.safetensors` beside it is the same network in integers. A line of the second file is a label and
//! the brightness of each pixel, which drives the network at every step. `train.py` beside them writes
//! all.

use bitspike::network::{Decision, Input, Network, Rule};
use std::error::Error;
use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::time::Instant;
use std::{env, fs};

/// Steps after which a digit is decided at the latest.
const STEPS: u64 = 25;
/// A digit is decided as soon as its class has fired so many times more than any other.
const MARGIN: f32 = 3.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [network, digits] = &arguments[..] else {
        return Err("usage: classify_digits NETWORK DIGITS".into());
    };
    let network = Network::from_bytes(&fs::read(network)?)?;
    let output = network
        .outputs()
        .first()
        .ok_or("the network has no output")?;
    let mut state = network.state(1)?;
    let (mut right, mut times, mut out) = (0, Vec::new(), stdout().lock());
    let digits = fs::read_to_string(digits)?;
    for line in digits.lines() {
        let mut words = line.split_whitespace();
        let label: usize = words.next().ok_or("a line is empty")?.parse()?;
        let pixels = words.map(str::parse).collect::<Result<Vec<f32>, _>>()?;
        state.reset();
        let mut decision = Decision::new(Rule::Margin(MARGIN));
        while state.steps() < STEPS {
            let start = Instant::now();
            let step = network.step(&mut state, Input::Dense(&pixels))?;
            times.push(start.elapsed().as_nanos());
            if let ControlFlow::Break(_) = decision.see(&step, output, 0) {
                break;
            }
        }
        right += usize::from(decision.leader() == label);
        writeln!(
            out,
            "{label} is {}, after {} steps",
            decision.leader(),
            state.steps()
        )?;
    }
    times.sort_unstable();
    let count = digits.lines().count();
    let at = |i: usize| times.get(i).copied().unwrap_or(0);
    let [median, p99] = [times.len() / 2, times.len() * 99 / 100].map(at);
    writeln!(
        out,
        "{right} of {count} right; a step takes {median} ns, of 100 one more than {p99}"
    )?;
    Ok(())
}
