//! What errors of a convolution's outputs add to the gradient of its inputs.

use super::convolution::{Convolution, Order, Runs};
use crate::matmul::gather::{load, store};
use crate::simd::{Isa, Simd};
use alloc::vec;
use alloc::vec::Vec;

/// Where errors reach, and by which weights.
///
/// Sums are pixels of channels, group after group, each line with the columns of padding: the taps of a
/// line of the kernel then meet neighbouring sums, and no bounds.
#[derive(Debug)]
pub(super) struct Reach {
    conv: Convolution,
    order: Order,
    runs: Runs,
    /// Length of a run of weights: whole vectors.
    padded: usize,
    /// Length of a line of sums, with what runs overhang.
    line: usize,
    /// For each pixel of the output, its line, and where its runs begin in a line of sums.
    pixels: Vec<(usize, usize)>,
    /// `[outputs, kernel lines, runs]` of padded weights.
    weights: Vec<f32>,
}

impl Reach {
    pub(super) fn new(
        isa: Isa,
        conv: Convolution,
        order: Order,
        [height, width]: [usize; 2],
        weight: &[f32],
    ) -> Self {
        let (channels, runs) = (conv.group_channels(), conv.runs());
        let padded = runs.length.next_multiple_of(isa.lanes());
        let mut weights = vec![0.0; weight.len() / runs.length.max(1) * padded];
        let packed = weights.chunks_exact_mut(padded.max(1));
        for (to, from) in packed.zip(weight.chunks_exact(runs.length.max(1))) {
            to[..runs.length].copy_from_slice(from);
        }
        let reached = (width - 1) * conv.stride[1] + (conv.kernel[1] - 1) * conv.dilation[1] + 1;
        let columns = reached.max(conv.padding[1] + conv.size[1]);
        let pixel = |i: usize| (i / width, i % width * conv.stride[1] * channels);
        Self {
            conv,
            order,
            runs,
            padded,
            line: columns * channels + padded,
            pixels: (0..height * width).map(pixel).collect(),
            weights,
        }
    }

    /// Sums of a sample.
    pub(super) fn sums(&self) -> usize {
        self.conv.groups * self.conv.size[0] * self.line
    }

    /// Additions of an error.
    pub(super) fn additions(&self) -> usize {
        self.conv.kernel[0] * self.runs.count * self.padded
    }

    /// Where the errors of these neurons come from.
    #[inline(always)]
    pub(super) fn locate(&self, neurons: &[u32], places: &mut Vec<Place>) {
        let (outputs, pixels) = (self.conv.outputs, self.pixels.len());
        let place = |&neuron: &u32| {
            let neuron = neuron as usize;
            let (output, pixel) = match self.order {
                Order::ChannelsLast => (neuron % outputs, neuron / outputs),
                Order::ChannelsFirst => (neuron / pixels, neuron % pixels),
            };
            Place {
                pixel,
                group: output / self.conv.group_outputs(),
                weights: output * self.additions(),
            }
        };
        places.clear();
        places.extend(neurons.iter().map(place));
    }

    /// Adds what errors of one pixel and group send to the inputs.
    #[inline(always)]
    pub(super) fn add<S: Simd>(&self, simd: S, places: &[Place], errors: &[f32], sums: &mut [f32]) {
        let (conv, Runs { count, .. }) = (&self.conv, self.runs);
        let (y, x) = self.pixels[places[0].pixel];
        let first = places[0].group * conv.size[0];
        for ky in 0..conv.kernel[0] {
            let Some(line) = conv.line(y, ky) else {
                continue;
            };
            let sums = &mut sums[(first + line) * self.line..][..self.line];
            for run in 0..count {
                let from = x + run * conv.dilation[1] * conv.group_channels();
                let mut sums = &mut sums[from..][..self.padded];
                let mut skipped = (ky * count + run) * self.padded;
                // As many sums in registers as there are, a power of two at a time.
                while !sums.is_empty() {
                    let len = match sums.len() / S::LANES {
                        8.. => self.add_to::<S, 8>(simd, places, errors, skipped, sums),
                        4.. => self.add_to::<S, 4>(simd, places, errors, skipped, sums),
                        2.. => self.add_to::<S, 2>(simd, places, errors, skipped, sums),
                        _ => self.add_to::<S, 1>(simd, places, errors, skipped, sums),
                    };
                    sums = &mut sums[len..];
                    skipped += len;
                }
            }
        }
    }

    /// Adds the products of errors with the weights behind those `skipped` to `V` vectors of sums, and
    /// returns how many sums these are.
    #[inline(always)]
    fn add_to<S: Simd, const V: usize>(
        &self,
        simd: S,
        places: &[Place],
        errors: &[f32],
        skipped: usize,
        sums: &mut [f32],
    ) -> usize {
        let len = V * S::LANES;
        let mut sum: [S::F32; V] = load(simd, &sums[..len]);
        for (place, &error) in places.iter().zip(errors) {
            let weights = &self.weights[place.weights + skipped..][..len];
            let error = simd.splat(error);
            for (v, sum) in sum.iter_mut().enumerate() {
                let product = simd.mul(error, simd.load(&weights[v * S::LANES..]));
                *sum = simd.add(*sum, product);
            }
        }
        store(simd, &mut sums[..len], sum);
        len
    }

    /// Writes the sums of the inputs in their order.
    #[inline(always)]
    pub(super) fn write(&self, sums: &[f32], out: &mut [f32]) {
        let conv = &self.conv;
        let ([_, width], channels) = (conv.size, conv.group_channels());
        for (i, line) in sums.chunks_exact(self.line).enumerate() {
            let (group, y) = (i / conv.size[0], i % conv.size[0]);
            let pixels = &line[conv.padding[1] * channels..][..width * channels];
            let to = |x: usize, c: usize| match self.order {
                Order::ChannelsLast => (y * width + x) * conv.channels + group * channels + c,
                Order::ChannelsFirst => ((group * channels + c) * conv.size[0] + y) * width + x,
            };
            // Zeros without a sign: it would tell how many zeros of a run's padding were added.
            if self.order == Order::ChannelsLast && conv.groups == 1 {
                let out = &mut out[to(0, 0)..][..pixels.len()];
                out.iter_mut()
                    .zip(pixels)
                    .for_each(|(out, sum)| *out = sum + 0.0);
                continue;
            }
            for (x, pixel) in pixels.chunks_exact(channels).enumerate() {
                for (c, sum) in pixel.iter().enumerate() {
                    out[to(x, c)] = sum + 0.0;
                }
            }
        }
    }
}

/// Where an error comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pixel: usize,
    group: usize,
    /// Where the weights of its output begin.
    weights: usize,
}

impl Place {
    /// Whether both errors reach the same inputs.
    #[inline(always)]
    pub(super) fn shares_inputs(&self, other: &Self) -> bool {
        (self.pixel, self.group) == (other.pixel, other.group)
    }
}
