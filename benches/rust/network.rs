//! Steps of a network from a file, on every instruction set of this CPU: 64-bit words in, three layers
//! of 256 leaky neurons, one sample, one input in twenty active.

use bitspike::network::{Dtype, Input, Network, Tensor, write};
use bitspike::simd::Isa;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::time::Instant;

const NEURONS: usize = 256;
const LAYERS: usize = 3;
const STEPS: usize = 100_000;

/// A network file whose layers all fire at about one neuron in twenty.
fn file() -> Vec<u8> {
    let mut ops = Vec::new();
    let mut input = String::from("x");
    for layer in 0..LAYERS {
        ops.push(format!(
            r#"{{"op": "linear", "in": "{input}", "out": "c{layer}", "weight": "w", "bias": null}},
               {{"op": "leaky", "in": "c{layer}", "out": "s{layer}", "beta": 0.9, "threshold": 1.0,
                 "reset": "subtract", "reset_delay": true, "fire_at": "gt",
                 "order": "integrate_first", "recurrent": null, "state": ["m{layer}"], "initial": [0]}}"#
        ));
        input = format!("s{layer}");
    }
    let graph = format!(
        r#"{{"dt": 0.001, "inputs": [{{"name": "x", "shape": [{NEURONS}], "kind": "spikes"}}],
            "previous": [], "ops": [{}], "outputs": ["{input}"]}}"#,
        ops.join(",")
    );
    // Looks random, with a standard deviation of 0.12.
    let weight = |i: u32| {
        let mixed = i.wrapping_mul(2_654_435_769);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(2_246_822_519);
        (mixed >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let weights = (0..(NEURONS * NEURONS) as u32).map(weight);
    let weights: Vec<u8> = weights.flat_map(|x| (0.42 * x).to_le_bytes()).collect();
    let weights = Tensor {
        name: "w".into(),
        dtype: Dtype::F32,
        shape: vec![NEURONS, NEURONS],
        data: &weights,
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
    let (file, events) = (file(), events());
    let mut group = criterion.benchmark_group("network step");
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
