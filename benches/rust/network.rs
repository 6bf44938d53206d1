//! Steps of a network from a file, in floats and in integers, on every instruction set of this CPU:
//! events in, three layers of 256 leaky neurons, one sample, one input in twenty active.

use bitspike::network::{Dtype, Input, Network, Tensor, write};
use bitspike::simd::Isa;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::time::Instant;

const NEURONS: usize = 256;
const LAYERS: usize = 3;
const STEPS: usize = 100_000;

/// In which arithmetic a network runs.
#[derive(Clone, Copy)]
enum Arithmetic {
    Floats,
    Integers,
}

impl Arithmetic {
    const ALL: [Self; 2] = [Self::Floats, Self::Integers];

    const fn name(self) -> &'static str {
        match self {
            Self::Floats => "floats",
            Self::Integers => "integers",
        }
    }

    /// The keys of a product and of its neurons that depend on it. The thresholds are alike within 1/127
    /// of the largest weight, and the bounds are those that follow from all weights.
    fn keys(self, weights: &[i8]) -> [String; 2] {
        let Self::Integers = self else {
            return ["", r#""beta": 0.9375, "threshold": 1.0, "initial": [0]"#].map(String::from);
        };
        let rows = weights.chunks(NEURONS);
        let sums = rows.map(|row| row.iter().map(|q| u64::from(q.unsigned_abs())).sum::<u64>());
        let bound = sums.max().expect("rows");
        [
            format!(
                r#", "arith": "i32", "bits": 8, "shift": 0, "shape": [{NEURONS}, {NEURONS}], "acc_bound": {bound}"#
            ),
            format!(
                r#""arith": "i32", "beta": {{"shift": 4, "round": "floor"}}, "threshold": {},
                   "acc_bound": {}"#,
                (1.0 / SCALE) as i32,
                16 * (bound + 2)
            ),
        ]
    }
}

/// What a unit of an integer weight is worth.
const SCALE: f32 = 0.21 / 127.0;

/// A network file whose layers all fire at about one neuron in twenty.
fn file(arithmetic: Arithmetic) -> Vec<u8> {
    // Looks random, with a standard deviation of 0.12.
    let weight = |i: u32| {
        let mixed = i.wrapping_mul(2_654_435_769);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(2_246_822_519);
        let uniform = (mixed >> 8) as f32 / (1 << 24) as f32 - 0.5;
        (0.42 * uniform / SCALE) as i8
    };
    let weights: Vec<_> = (0..(NEURONS * NEURONS) as u32).map(weight).collect();
    let [product, neurons] = arithmetic.keys(&weights);
    let mut ops = Vec::new();
    let mut input = String::from("x");
    for layer in 0..LAYERS {
        ops.push(format!(
            r#"{{"op": "linear", "in": "{input}", "out": "c{layer}", "weight": "w", "bias": null{product}}},
               {{"op": "leaky", "in": "c{layer}", "out": "s{layer}", {neurons},
                 "reset": "subtract", "reset_delay": true, "fire_at": "gt",
                 "order": "integrate_first", "recurrent": null, "state": ["m{layer}"]}}"#
        ));
        input = format!("s{layer}");
    }
    let graph = format!(
        r#"{{"dt": 0.001, "inputs": [{{"name": "x", "shape": [{NEURONS}], "kind": "spikes"}}],
            "previous": [], "ops": [{}], "outputs": ["{input}"]}}"#,
        ops.join(",")
    );
    let (dtype, data) = match arithmetic {
        Arithmetic::Floats => {
            let floats = weights.iter().map(|q| SCALE * f32::from(*q));
            (Dtype::F32, floats.flat_map(f32::to_le_bytes).collect())
        }
        Arithmetic::Integers => {
            let bytes = weights.iter().map(|q| q.to_le_bytes()[0]);
            (Dtype::I8, bytes.collect::<Vec<_>>())
        }
    };
    let weights = Tensor {
        name: "w".into(),
        dtype,
        shape: vec![NEURONS, NEURONS],
        data: &data,
    };
    write(&graph, vec![weights]).expect("a network")
}

/// The active inputs of some steps.
fn events() -> Vec<Vec<u32>> {
    let spikes = bitspike_benches::spikes(64 * NEURONS, 0.05);
    let steps = spikes.chunks(NEURONS).map(|step| {
        let active = (0_u32..).zip(step).filter(|(_, spike)| **spike != 0.0);
        active.map(|(n, _)| n).collect()
    });
    steps.collect()
}

fn steps(criterion: &mut Criterion) {
    let events = events();
    for arithmetic in Arithmetic::ALL {
        let file = file(arithmetic);
        let mut group = criterion.benchmark_group(format!("network step, {}", arithmetic.name()));
        for &isa in Isa::available() {
            let network = Network::for_isa(isa, &file).expect("a network");
            let mut state = network.state(1).expect("a state");
            let mut step = 0;
            group.bench_function(BenchmarkId::from_parameter(isa.name()), |bencher| {
                bencher.iter(|| {
                    step += 1;
                    let input = Input::Events(&events[step % events.len()]);
                    network.step(&mut state, input).expect("a step").steps()
                });
            });
            latencies(isa, &network, &events);
        }
        group.finish();
    }
}

/// Prints how long single steps take, and how active the layers are.
#[allow(clippy::print_stdout, reason = "criterion reports no percentiles")]
fn latencies(isa: Isa, network: &Network, events: &[Vec<u32>]) {
    let mut state = network.state(1).expect("a state");
    let mut times = Vec::with_capacity(STEPS);
    let mut fired = [0; LAYERS];
    for step in 0..STEPS {
        let start = Instant::now();
        let input = Input::Events(&events[step % events.len()]);
        let output = network.step(&mut state, input).expect("a step");
        times.push(start.elapsed());
        for (layer, fired) in fired.iter_mut().enumerate() {
            let words = output.spikes(&format!("s{layer}")).expect("spikes");
            *fired += words.iter().map(|word| word.count_ones()).sum::<u32>();
        }
    }
    times.sort_unstable();
    let [median, p99] = [STEPS / 2, STEPS * 99 / 100].map(|i| times[i]);
    let share = fired.map(|fired| fired as f32 / (STEPS * NEURONS) as f32);
    println!(
        "{}: median {median:?}, p99 {p99:?}; active {share:.3?}",
        isa.name()
    );
}

criterion_group!(benches, steps);
criterion_main!(benches);
