//! Convolutions as loops over weights and the neurons that they meet.

use bitspike::conv::{Convolution, Order};

/// Calls `visit` for each weight that meets a neuron: output pixel, output, tap, neuron in channel
/// order.
pub(crate) fn each(conv: Convolution, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let [height, width] = conv.grid().expect("the kernel fits");
    let (group, outputs) = (conv.channels / conv.groups, conv.outputs / conv.groups);
    for y in 0..height {
        for x in 0..width {
            for output in 0..conv.outputs {
                for ky in 0..conv.kernel[0] {
                    for kx in 0..conv.kernel[1] {
                        for c in 0..group {
                            let line = (y * conv.stride[0] + ky * conv.dilation[0])
                                .checked_sub(conv.padding[0])
                                .filter(|&line| line < conv.size[0]);
                            let column = (x * conv.stride[1] + kx * conv.dilation[1])
                                .checked_sub(conv.padding[1])
                                .filter(|&column| column < conv.size[1]);
                            let (Some(line), Some(column)) = (line, column) else {
                                continue;
                            };
                            let channel = output / outputs * group + c;
                            let neuron = (channel * conv.size[0] + line) * conv.size[1] + column;
                            let tap = (ky * conv.kernel[1] + kx) * group + c;
                            visit(y * width + x, output, tap, neuron);
                        }
                    }
                }
            }
        }
    }
}

/// Calls `visit` for each weight that meets an active neuron, row after row: row, place of the sum in
/// `[rows, pixels, outputs]`, place of the weight in `[outputs, taps]`.
fn active(conv: Convolution, spikes: &[bool], mut visit: impl FnMut(usize, usize, usize)) {
    let [height, width] = conv.grid().expect("the kernel fits");
    let neurons = conv.channels * conv.size[0] * conv.size[1];
    for (row, spikes) in spikes.chunks(neurons).enumerate() {
        each(conv, |pixel, output, tap, neuron| {
            if spikes[neuron] {
                let sum = (row * height * width + pixel) * conv.outputs + output;
                visit(row, sum, output * taps(conv) + tap);
            }
        });
    }
}

/// The weights of an output.
pub(crate) fn taps(conv: Convolution) -> usize {
    conv.kernel[0] * conv.kernel[1] * conv.channels / conv.groups
}

/// The sums of so many rows, and the bias.
pub(crate) fn sums(
    conv: Convolution,
    spikes: &[bool],
    rows: usize,
    (weight, bias): (&[f32], &[f32]),
) -> Vec<f32> {
    let [height, width] = conv.grid().expect("the kernel fits");
    let mut sums = vec![0.0; rows * height * width * conv.outputs];
    active(conv, spikes, |_, sum, place| sums[sum] += weight[place]);
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum += bias[i % conv.outputs];
    }
    sums
}

/// The gradient of the weight for that of the sums: of each eighth of the rows, then of all.
pub(crate) fn weight_gradient(
    conv: Convolution,
    spikes: &[bool],
    rows: usize,
    grad: &[f32],
) -> Vec<f32> {
    let part = rows.div_ceil(8).max(1);
    let none = vec![0.0; conv.outputs * taps(conv)];
    let mut parts = vec![none.clone(); rows.div_ceil(part)];
    active(conv, spikes, |row, sum, place| {
        parts[row / part][place] += grad[sum];
    });
    parts.into_iter().fold(none, |mut sum: Vec<f32>, part| {
        sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        sum
    })
}

/// The numbers `[rows, pixels, outputs]` in an order.
pub(crate) fn in_order(
    order: Order,
    pixels: &[f32],
    [rows, count, outputs]: [usize; 3],
) -> Vec<f32> {
    if order == Order::ChannelsLast {
        return pixels.to_vec();
    }
    let at = |row, output, pixel| pixels[(row * count + pixel) * outputs + output];
    let maps = (0..rows).flat_map(|row| (0..outputs).map(move |output| (row, output)));
    maps.flat_map(|(row, output)| (0..count).map(move |pixel| at(row, output, pixel)))
        .collect()
}
