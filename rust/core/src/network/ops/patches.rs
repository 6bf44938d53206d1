//! What a convolution of numbers or integers sees of its input.

use crate::conv::Convolution;
use crate::spikes::layout::padded;
use alloc::vec::Vec;

/// What the outputs of a line of a group see of the input: a padded row for each, of a number for each
/// tap.
pub(super) fn copy_patches<T: Copy + Default>(
    conv: Convolution,
    maps: &[T],
    group: usize,
    y: usize,
    patches: &mut [T],
) {
    let Convolution {
        size,
        kernel,
        stride,
        padding,
        dilation,
        ..
    } = conv;
    let channels = conv.group_channels();
    patches.fill(T::default());
    let rows = patches.chunks_exact_mut(padded(conv.taps()));
    for (x, patch) in rows.enumerate() {
        for ky in 0..kernel[0] {
            let Some(line) = conv.line(y, ky) else {
                continue;
            };
            for kx in 0..kernel[1] {
                let place = (x * stride[1] + kx * dilation[1]).checked_sub(padding[1]);
                let Some(column) = place.filter(|&column| column < size[1]) else {
                    continue;
                };
                let taps = &mut patch[(ky * kernel[1] + kx) * channels..][..channels];
                for (channel, tap) in (group * channels..).zip(taps) {
                    *tap = maps[(channel * size[0] + line) * size[1] + column];
                }
            }
        }
    }
}

/// Writes the sums of a line of a group, a padded row for each pixel, to its maps of this size.
pub(super) fn write_line<T: Copy>(
    conv: Convolution,
    [height, width]: [usize; 2],
    (group, y): (usize, usize),
    sums: &[T],
    maps: &mut [T],
) {
    let outputs = conv.group_outputs();
    let pixels = sums.chunks_exact(padded(outputs));
    for (x, pixel) in pixels.enumerate().take(width) {
        for (map, &sum) in (group * outputs..).zip(&pixel[..outputs]) {
            maps[(map * height + y) * width + x] = sum;
        }
    }
}

/// The weights `[outputs, channels, height, width]` as `[outputs, height, width, channels]`.
pub(super) fn taps_first<T: Copy>(weight: &[T], conv: Convolution) -> Vec<T> {
    let (channels, pixels) = (conv.group_channels(), conv.kernel[0] * conv.kernel[1]);
    let outputs = weight.chunks_exact(channels * pixels);
    let moved = outputs.flat_map(|output| {
        (0..channels * pixels).map(move |tap| output[tap % channels * pixels + tap / channels])
    });
    moved.collect()
}
