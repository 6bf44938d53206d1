//! Convolutions, against loops.

use crate::bits::{dense, packed};
use crate::loops::{self, in_order, taps};
use bitspike::Error;
use bitspike::conv::{Convolution, Order, Orders, convolve, prefers_dense, weight_gradient};
use bitspike::simd::Isa;
use bitspike::spikes::swap_axes;
use proptest::prelude::*;

/// Numbers of both signs that are no sums of others.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 37 % 101) as f32 - 50.0) / 17.0 + i as f32 * 1e-3)
        .collect()
}

/// Says only where numbers first differ: there may be many.
fn assert_same(found: &[f32], expected: &[f32], context: (Isa, Orders, Convolution)) {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected).enumerate();
    let first = pairs
        .into_iter()
        .find(|(_, (found, expected))| found != expected);
    assert_eq!(first, None, "{context:?}");
}

fn check(conv: Convolution, rows: usize, density: usize) {
    let [height, width] = conv.grid().expect("the kernel fits");
    let neurons = conv.channels * conv.size[0] * conv.size[1];
    let spikes: Vec<_> = dense(rows * neurons)
        .into_iter()
        .enumerate()
        .map(|(i, fires)| fires && i * 7919 % 10 < density)
        .collect();
    let words = packed(&spikes, rows, neurons);
    let (weight, bias) = (numbers(conv.outputs * taps(conv)), numbers(conv.outputs));
    let pixels = height * width;
    let grad = numbers(rows * pixels * conv.outputs);

    let expected = loops::sums(conv, &spikes, rows, (&weight, &bias));
    let to_weight = loops::weight_gradient(conv, &spikes, rows, &grad);
    let to_bias: Vec<f64> = (0..conv.outputs)
        .map(|o| {
            grad.iter()
                .skip(o)
                .step_by(conv.outputs)
                .map(|&x| f64::from(x))
                .sum()
        })
        .collect();

    for &isa in Isa::available() {
        let mut channels_last = vec![u64::MAX; words.len()];
        let axes = [conv.channels, conv.size[0] * conv.size[1]];
        swap_axes(isa, &words, rows, axes, &mut channels_last).expect("the lengths fit");
        let (first, last) = (Order::ChannelsFirst, Order::ChannelsLast);
        for (spikes, sums, words) in [
            (first, first, &words),
            (first, last, &words),
            (last, first, &channels_last),
            (last, last, &channels_last),
        ] {
            let orders = Orders { spikes, sums };
            let shape = [rows, pixels, conv.outputs];
            let expected = in_order(sums, &expected, shape);
            let grad = in_order(sums, &grad, shape);
            let mut out = vec![f32::NAN; expected.len()];
            convolve(
                isa,
                words,
                rows,
                conv,
                orders,
                &weight,
                Some(&bias),
                &mut out,
            )
            .expect("the lengths fit");
            assert_same(&out, &expected, (isa, orders, conv));
            let (mut to_weights, mut of_bias) =
                (vec![f32::NAN; weight.len()], vec![f32::NAN; bias.len()]);
            let finite = weight_gradient(
                isa,
                words,
                rows,
                conv,
                orders,
                &grad,
                &mut to_weights,
                &mut of_bias,
            );
            assert_eq!(finite, Ok(true));
            assert_same(&to_weights, &to_weight, (isa, orders, conv));
            for (sum, wanted) in of_bias.iter().zip(&to_bias) {
                assert!((f64::from(*sum) - wanted).abs() <= 1e-4 * wanted.abs().max(1.0));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn sums_are_those_of_a_loop(
        (groups, channels, outputs) in (1usize..4, 1usize..6, 0usize..40),
        size in [1usize..9, 1usize..9],
        kernel in [1usize..4, 1usize..5],
        stride in [1usize..4, 1usize..4],
        padding in [0usize..3, 0usize..6],
        dilation in [1usize..3, 1usize..3],
        (rows, density) in (0usize..11, 0usize..11),
    ) {
        let conv = Convolution {
            channels: groups * channels, size, outputs: groups * outputs, groups, kernel, stride,
            padding, dilation,
        };
        if conv.grid().is_ok() {
            check(conv, rows, density);
        }
    }
}

const LAYER: Convolution = Convolution {
    channels: 20,
    size: [10, 12],
    outputs: 90,
    groups: 1,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
};

#[test]
fn several_tiles_of_outputs_are_shared_between_threads() {
    check(LAYER, 17, 5);
    check(
        Convolution {
            outputs: 12,
            ..LAYER
        },
        17,
        5,
    );
}

#[test]
fn two_pixels_at_a_time_are_as_good_as_one() {
    // Pixels of two, and one that is left; of one group, and of two; wider and narrower than the kernel.
    for (width, padding) in [(7, 0), (8, 1), (1, 2), (5, 4)] {
        for (groups, outputs) in [(1, 32), (1, 35), (2, 66)] {
            let conv = Convolution {
                channels: 6,
                size: [4, width],
                outputs,
                groups,
                kernel: [2, 3],
                padding: [1, padding],
                ..LAYER
            };
            check(conv, 3, if width == 1 { 10 } else { 6 });
        }
    }
}

#[test]
fn outputs_that_no_vector_holds_are_written_beside_each_other() {
    for outputs in 1..32 {
        for padding in [0, 2, 5] {
            let conv = Convolution {
                channels: 2,
                size: [3, 6],
                outputs,
                padding: [1, padding],
                ..LAYER
            };
            check(conv, 2, 8);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |conv: Convolution| conv.grid().expect_err("it does not fit");
    let wide = Convolution {
        kernel: [3, 20],
        ..LAYER
    };
    assert!(matches!(
        refused(wide),
        Error::OutOfRange {
            found: 19,
            limit: 14,
            ..
        }
    ));
    for conv in [
        Convolution {
            stride: [0, 1],
            ..LAYER
        },
        Convolution {
            dilation: [1, 0],
            ..LAYER
        },
        Convolution {
            kernel: [0, 1],
            ..LAYER
        },
    ] {
        assert!(matches!(refused(conv), Error::OutOfRange { found: -1, .. }));
    }
    let grouped = Convolution { groups: 3, ..LAYER };
    assert_eq!(refused(grouped), Error::Group { rows: 20, group: 3 });
    let large = Convolution {
        size: [1 << 20, 1 << 20],
        ..LAYER
    };
    assert_eq!(refused(large), Error::Overflow { what: "spikes" });
}

#[test]
fn gradients_that_are_not_finite_are_told() {
    let conv = Convolution {
        channels: 1,
        outputs: 2,
        ..LAYER
    };
    let (mut out, mut bias) = ([0.0; 18], [0.0; 2]);
    for bad in [f32::NAN, f32::INFINITY] {
        let mut grad = vec![1.0; 240];
        grad[77] = bad;
        let finite = weight_gradient(
            Isa::Scalar,
            &[0, 0],
            1,
            conv,
            Orders {
                spikes: Order::ChannelsLast,
                sums: Order::ChannelsLast,
            },
            &grad,
            &mut out,
            &mut bias,
        );
        assert_eq!(finite, Ok(false));
    }
}

#[test]
fn dense_convolutions_are_preferred_for_many_spikes_and_for_weights_that_are_not_finite() {
    let mut weight = vec![0.5; 90 * 180];
    for isa in Isa::ALL {
        assert_eq!(prefers_dense(isa, 0.05, 100, LAYER, &weight), Ok(false));
        assert_eq!(prefers_dense(isa, 0.9, 100, LAYER, &weight), Ok(true));
    }
    weight[1000] = f32::INFINITY;
    assert_eq!(
        prefers_dense(Isa::Avx2, 0.05, 100, LAYER, &weight),
        Ok(true)
    );
}
