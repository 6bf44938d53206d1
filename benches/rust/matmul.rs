//! The products of spikes, on every instruction set of this CPU.
//!
//! Each must give the bits of plain loops before it is timed.

use bitspike::matmul::{Affine, Matrix, Planes, product, scaled_plane_product, weight_gradient};
use bitspike::simd::Isa;
use bitspike::spikes::{layout, pack};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};

/// Rows, inputs, outputs.
const SHAPES: [[usize; 3]; 3] = [[8000, 512, 512], [8000, 2048, 2048], [3200, 784, 1000]];
const DENSITIES: [f64; 6] = [0.005, 0.01, 0.03, 0.1, 0.3, 0.5];

/// Plain loops would take longer than the bench: of the rows that they would fill, one in so many
/// is checked.
const CHECKED: usize = 97;

/// Numbers without a pattern between -0.5 and 0.5.
fn numbers(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * 7919 % 10007) as f32 / 10007.0 - 0.5)
        .collect()
}

/// The sum of those rows of a row-major matrix that are selected.
fn sum_of_rows(matrix: &[f32], columns: usize, selected: impl Fn(usize) -> bool) -> Vec<f32> {
    let mut sum = vec![0.0; columns];
    for (_, row) in matrix
        .chunks(columns)
        .enumerate()
        .filter(|&(i, _)| selected(i))
    {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    sum
}

/// Times `run` on each instruction set, after `check` has seen what it made of `out`.
fn per_isa(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    out: &mut [f32],
    run: impl Fn(Isa, &mut [f32]),
    check: impl Fn(&[f32]) -> bool,
) {
    for &isa in Isa::available() {
        out.fill(f32::NAN);
        run(isa, out);
        assert!(check(out), "{name} is wrong on {}", isa.name());
        group.bench_function(BenchmarkId::new(name, isa.name()), |bencher| {
            bencher.iter(|| run(isa, out));
        });
    }
}

fn products(criterion: &mut Criterion) {
    for [rows, inputs, outputs] in SHAPES {
        let rows_of_weights = numbers(inputs * outputs);
        // As `nn.Linear` keeps it: `[outputs, inputs]`.
        let mut weight = vec![0.0; outputs * inputs];
        for (i, x) in weight.iter_mut().enumerate() {
            *x = rows_of_weights[i % inputs * outputs + i / inputs];
        }
        let weights = Matrix::new("weight", &weight, [outputs, inputs], [inputs, 1])
            .expect("it fits")
            .transposed();
        let grad = numbers(rows * outputs);
        let grads = Matrix::new("grad", &grad, [rows, outputs], [outputs, 1]).expect("it fits");
        // The same weights as -1, 0 and 1, and as -1 and 1.
        let plane = |is_set: fn(f32) -> bool| {
            let bytes: Vec<u8> = weight.iter().map(|&x| u8::from(is_set(x))).collect();
            let mut bits = vec![0; outputs * layout::words(inputs)];
            pack(Isa::Scalar, &bytes, outputs, inputs, &mut bits).expect("the lengths fit");
            bits
        };
        let (above, below) = (plane(|x| x > 0.2), plane(|x| x < -0.2));
        let shape = [outputs, inputs];
        let few = [
            ("ternary", Planes::ternary(&above, &below, shape), 0),
            ("binary", Planes::binary(&above, shape), -1),
        ];
        let scale = vec![1.0; outputs];
        let mut current = vec![0.0; rows * outputs];
        let mut gradient = vec![0.0; outputs * inputs];
        for density in DENSITIES {
            let dense = bitspike_benches::spikes(rows * inputs, density);
            let active = |row: usize, input: usize| dense[row * inputs + input] == 1.0;
            let mut spikes = vec![0; rows * layout::words(inputs)];
            pack(Isa::Scalar, &dense, rows, inputs, &mut spikes).expect("the lengths fit");

            let name = format!("{rows}x{inputs}x{outputs} {}%", density * 100.0);
            let mut group = criterion.benchmark_group(name);
            group.sample_size(10);
            per_isa(
                &mut group,
                "product",
                &mut current,
                |isa, out| {
                    product(isa, &spikes, rows, weights, None, out).expect("the lengths fit");
                },
                |out| {
                    (0..rows).step_by(CHECKED).all(|row| {
                        out[row * outputs..][..outputs]
                            == sum_of_rows(&rows_of_weights, outputs, |input| active(row, input))
                    })
                },
            );
            for (name, weights, otherwise) in &few {
                let weights = *weights.as_ref().expect("the planes fit");
                let value = |i: usize| match rows_of_weights[i] {
                    x if x > 0.2 => 1,
                    x if x < -0.2 => -1,
                    _ => *otherwise,
                };
                let sum = |row: usize, output: usize| -> i32 {
                    let inputs = (0..inputs).filter(|&input| active(row, input));
                    inputs.map(|input| value(input * outputs + output)).sum()
                };
                let affine = Affine {
                    scale: &scale,
                    bias: None,
                };
                per_isa(
                    &mut group,
                    name,
                    &mut current,
                    |isa, out| {
                        scaled_plane_product(isa, &spikes, rows, weights, affine, out)
                            .expect("the lengths fit");
                    },
                    |out| {
                        (0..rows * outputs)
                            .step_by(CHECKED * CHECKED)
                            .all(|i| out[i] == sum(i / outputs, i % outputs) as f32)
                    },
                );
            }
            per_isa(
                &mut group,
                "weight gradient",
                &mut gradient,
                |isa, out| {
                    weight_gradient(isa, &spikes, inputs, grads, out, None)
                        .expect("the lengths fit");
                },
                |out| {
                    (0..inputs).step_by(CHECKED).all(|input| {
                        sum_of_rows(&grad, outputs, |row| active(row, input))
                            .iter()
                            .enumerate()
                            .all(|(n, sum)| out[n * inputs + input] == *sum)
                    })
                },
            );
            group.finish();
        }
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
