//! The operations on packed spikes, on every instruction set of this CPU.
//!
//! Each must give the answer of a plain loop before it is timed. Sizes are those of a layer: 250
//! steps, 32 samples, 512 neurons, one spike in twenty.

use bitspike::simd::Isa;
use bitspike::spikes::{
    Stream, bernoulli, count, count_axis, layout, pack, spike_times, to_indices, transpose, unpack,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const STEPS: usize = 250;
const SAMPLES: usize = 32;
const ROWS: usize = STEPS * SAMPLES;
const NEURONS: usize = 512;
const ELEMENTS: usize = ROWS * NEURONS;

/// Checks on each instruction set that `run` makes `expected` of `out`, then times it.
fn per_isa<T: PartialEq>(
    criterion: &mut Criterion,
    name: &str,
    expected: &T,
    mut out: T,
    mut run: impl FnMut(Isa, &mut T),
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    for &isa in Isa::available() {
        run(isa, &mut out);
        assert!(out == *expected, "{name} is wrong on {}", isa.name());
        group.bench_function(BenchmarkId::from_parameter(isa.name()), |bencher| {
            bencher.iter(|| run(isa, &mut out));
        });
    }
    group.finish();
}

/// Packs one bit at a time.
fn packed(rows: usize, len: usize, spike: impl Fn(usize, usize) -> bool) -> Vec<u64> {
    let row_len = layout::words(len);
    let mut words = vec![0; rows * row_len];
    for row in 0..rows {
        for i in (0..len).filter(|&i| spike(row, i)) {
            words[row * row_len + i / 64] |= 1 << (i % 64);
        }
    }
    words
}

fn layouts(criterion: &mut Criterion) {
    let numbers = bitspike_benches::spikes(ELEMENTS, 0.05);
    let bytes: Vec<u8> = numbers.iter().map(|&x| x as u8).collect();
    let spike = |row: usize, neuron: usize| bytes[row * NEURONS + neuron] == 1;
    let words = packed(ROWS, NEURONS, spike);
    let empty = vec![0; words.len()];

    per_isa(criterion, "pack f32", &words, empty.clone(), |isa, out| {
        pack(isa, &numbers, ROWS, NEURONS, out).expect("the lengths fit");
    });
    per_isa(criterion, "pack u8", &words, empty, |isa, out| {
        pack(isa, &bytes, ROWS, NEURONS, out).expect("the lengths fit");
    });
    per_isa(
        criterion,
        "unpack f32",
        &numbers,
        vec![0.0; ELEMENTS],
        |isa, out| {
            unpack(isa, &words, ROWS, NEURONS, out).expect("the lengths fit");
        },
    );
    let transposed = packed(NEURONS, ROWS, |neuron, row| spike(row, neuron));
    let empty = vec![0; transposed.len()];
    per_isa(criterion, "transpose", &transposed, empty, |isa, out| {
        transpose(isa, &words, ROWS, NEURONS, out).expect("the lengths fit");
    });
}

fn counts(criterion: &mut Criterion) {
    let numbers = bitspike_benches::spikes(ELEMENTS, 0.05);
    let words = packed(ROWS, NEURONS, |row, neuron| {
        numbers[row * NEURONS + neuron] == 1.0
    });
    let ones: Vec<_> = (0..ELEMENTS).filter(|&i| numbers[i] == 1.0).collect();

    per_isa(criterion, "count", &(ones.len() as u64), 0, |isa, out| {
        *out = count(isa, &words)
    });

    let mut over_time = vec![0.0; SAMPLES * NEURONS];
    for i in &ones {
        over_time[i % (SAMPLES * NEURONS)] += 1.0;
    }
    let empty = vec![0.0; over_time.len()];
    per_isa(
        criterion,
        "count over time",
        &over_time,
        empty,
        |isa, out| {
            count_axis(isa, &words, 1, STEPS, SAMPLES, NEURONS, out).expect("the lengths fit");
        },
    );

    let mut first = vec![(STEPS - 1) as f32; SAMPLES * NEURONS];
    for i in ones.iter().rev() {
        first[i % (SAMPLES * NEURONS)] = (i / (SAMPLES * NEURONS)) as f32;
    }
    let empty = vec![0.0; first.len()];
    per_isa(criterion, "first spikes", &first, empty, |isa, out| {
        spike_times(isa, &words, [STEPS, SAMPLES], NEURONS, out).expect("the lengths fit");
    });

    let indices: Vec<_> = ones.iter().map(|i| (i % NEURONS) as u32).collect();
    let mut starts = vec![0; ROWS + 1];
    let empty = vec![0; indices.len()];
    per_isa(criterion, "indices", &indices, empty, |isa, out| {
        to_indices(isa, &words, ROWS, NEURONS, false, &mut starts, out).expect("the lengths fit");
    });
}

fn random(criterion: &mut Criterion) {
    let p = 0.25f32;
    let probabilities = vec![p; SAMPLES * NEURONS];
    let draw = |isa, out: &mut Vec<u64>| {
        let stream = Stream { seed: 1, first: 0 };
        bernoulli(isa, stream, &probabilities, SAMPLES, ROWS, NEURONS, out)
            .expect("the lengths fit");
    };
    let mut expected = vec![0; ROWS * layout::words(NEURONS)];
    draw(Isa::Scalar, &mut expected);
    let (p, elements) = (f64::from(p), ELEMENTS as f64);
    let rate = count(Isa::Scalar, &expected) as f64 / elements;
    assert!(
        (rate - p).abs() < 5.0 * (p * (1.0 - p) / elements).sqrt(),
        "rate {rate}"
    );
    let empty = vec![0; expected.len()];
    per_isa(criterion, "bernoulli", &expected, empty, draw);
}

criterion_group!(benches, layouts, counts, random);
criterion_main!(benches);
