//! Pooling.

use crate::bits::{dense, packed};
use bitspike::Error;
use bitspike::conv::{Order, Windows, max_pool, max_pool_gradient, sum_pool};
use bitspike::simd::Isa;
use proptest::prelude::*;

fn check(windows: Windows, rows: usize) {
    let Windows {
        planes,
        height,
        width,
        window,
        stride,
    } = windows;
    let neurons = planes * height * width;
    let spikes = dense(rows * neurons);
    let [out_height, out_width] = windows.grid().expect("the window fits");
    let outputs = planes * out_height * out_width;
    let grad: Vec<_> = (0..rows * outputs).map(|i| 1.0 / (i + 1) as f32).collect();

    let (mut any, mut sums) = (Vec::new(), Vec::new());
    let mut to_spikes = vec![0.0; rows * neurons];
    for map in 0..rows * planes {
        for y in 0..out_height {
            for x in 0..out_width {
                let corner = (map * height + y * stride[0]) * width + x * stride[1];
                let places = (0..window[0])
                    .flat_map(|dy| (0..window[1]).map(move |dx| corner + dy * width + dx));
                let fired: Vec<_> = places.filter(|&place| spikes[place]).collect();
                to_spikes[*fired.first().unwrap_or(&corner)] += grad[any.len()];
                any.push(!fired.is_empty());
                sums.push(fired.len() as f32);
            }
        }
    }

    // Of planes and places, those that lie elsewhere if channels lie last.
    let last = |pixels: usize| {
        move |i: usize| {
            let (row, place) = (i / (planes * pixels), i % (planes * pixels));
            (row * pixels + place % pixels) * planes + place / pixels
        }
    };
    fn moved<T: Copy + Default>(from: &[T], to: impl Fn(usize) -> usize) -> Vec<T> {
        let mut moved = vec![T::default(); from.len()];
        from.iter().enumerate().for_each(|(i, &x)| moved[to(i)] = x);
        moved
    }
    let (inputs, results) = (last(height * width), last(out_height * out_width));
    let (order, plain) = (Order::ChannelsLast, Order::ChannelsFirst);
    for &isa in Isa::available() {
        for (order, spikes, any, sums, grad, to_spikes) in [
            (
                plain,
                spikes.clone(),
                any.clone(),
                sums.clone(),
                grad.clone(),
                to_spikes.clone(),
            ),
            (
                order,
                moved(&spikes, inputs),
                moved(&any, results),
                moved(&sums, results),
                moved(&grad, results),
                moved(&to_spikes, inputs),
            ),
        ] {
            let words = packed(&spikes, rows, neurons);
            let expected = packed(&any, rows, outputs);
            let mut maxima = vec![u64::MAX; expected.len()];
            max_pool(isa, &words, rows, windows, order, &mut maxima).expect("the lengths fit");
            assert_eq!(maxima, expected, "{isa:?} {order:?} {windows:?}");
            let mut counted = vec![f32::NAN; sums.len()];
            sum_pool(isa, &words, rows, windows, order, &mut counted).expect("the lengths fit");
            assert_eq!(counted, sums, "{isa:?} {order:?} {windows:?}");
            let mut sent = vec![f32::NAN; to_spikes.len()];
            max_pool_gradient(isa, &words, rows, windows, order, &grad, &mut sent)
                .expect("the lengths fit");
            assert_eq!(sent, to_spikes, "{isa:?} {order:?} {windows:?}");
        }
    }
}

/// Of calls whose order does not matter.
const ORDER: Order = Order::ChannelsFirst;

proptest! {
    #[test]
    fn windows_are_those_of_a_loop(
        (planes, height, width) in (1usize..4, 1usize..9, 1usize..140),
        window in [1usize..5, 1usize..70],
        stride in [1usize..5, 1usize..70],
        rows in 0usize..4,
    ) {
        let window = [window[0].min(height), window[1].min(width).min(64)];
        check(Windows { planes, height, width, window, stride }, rows);
    }
}

#[test]
fn large_maps_are_shared_between_threads() {
    let windows = Windows {
        planes: 5,
        height: 33,
        width: 40,
        window: [2, 2],
        stride: [2, 2],
    };
    check(windows, 90);
}

const SMALL: Windows = Windows {
    planes: 1,
    height: 4,
    width: 100,
    window: [2, 2],
    stride: [2, 2],
};

#[test]
fn windows_that_do_not_fit_are_refused() {
    for (window, stride) in [
        ([0, 2], [1, 1]),
        ([5, 2], [1, 1]),
        ([2, 0], [1, 1]),
        ([2, 65], [1, 1]),
        ([2, 2], [0, 1]),
        ([2, 2], [1, 0]),
    ] {
        let windows = Windows {
            window,
            stride,
            ..SMALL
        };
        assert!(matches!(windows.grid(), Err(Error::OutOfRange { .. })));
    }
    let huge = Windows {
        planes: usize::MAX,
        ..SMALL
    };
    assert!(matches!(huge.grid(), Err(Error::Overflow { .. })));
}

#[test]
fn wrong_lengths_are_named() {
    let isa = Isa::active().expect("an instruction set");
    let what = |error| match error {
        Err(Error::Length { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let words = [0; 7];
    assert_eq!(
        what(max_pool(isa, &words[1..], 1, SMALL, ORDER, &mut [0; 2])),
        "spikes"
    );
    assert_eq!(
        what(max_pool(isa, &words, 1, SMALL, ORDER, &mut [0; 3])),
        "maxima"
    );
    assert_eq!(
        what(sum_pool(isa, &words, 1, SMALL, ORDER, &mut [0.0; 99])),
        "sums"
    );
    let gradient = |grad: &[f32], out: &mut [f32]| {
        what(max_pool_gradient(isa, &words, 1, SMALL, ORDER, grad, out))
    };
    assert_eq!(gradient(&[0.0; 99], &mut [0.0; 400]), "grad");
    assert_eq!(gradient(&[0.0; 100], &mut [0.0; 399]), "to_spikes");
}
