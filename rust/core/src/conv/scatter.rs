//! Convolutions with few outputs: each event adds its weights to a line of sums.

use super::Convolution;
use super::taps::Taps;
use crate::matmul::ADDITIONS_PER_STEP;
use crate::parallel::{Scratch, progress};
use crate::simd::{Isa, Simd};

/// Runs of numbers, `[groups, kernel lines, channels, taps from right to left, outputs]`: the weights
/// that an event of a line adds, and the sums that an event's gradients go to.
///
/// An event at pixel `x` reaches the outputs from `x - kernel + 1` on, the first of them by the
/// rightmost tap.
pub(super) struct Runs {
    conv: Convolution,
    /// Length of a run: whole vectors.
    length: usize,
    pub(super) numbers: Vec<f32>,
}

impl Runs {
    /// Runs of zeros.
    pub(super) fn zeros(isa: Isa, conv: Convolution) -> Self {
        let run = conv.kernel[1] * conv.group_outputs();
        let length = run.next_multiple_of(isa.lanes());
        let runs = conv.groups * conv.kernel[0] * conv.group_channels();
        Self {
            conv,
            length,
            numbers: vec![0.0; runs * length],
        }
    }

    /// The weights `[outputs, height, width, channels of a group]`, padded with zeros.
    pub(super) fn new(isa: Isa, conv: Convolution, weight: &[f32]) -> Self {
        let mut runs = Self::zeros(isa, conv);
        runs.exchange(|run, i| *run = weight[i]);
        runs
    }

    /// Calls `f` with each number and its place among the weights.
    pub(super) fn exchange(&mut self, mut f: impl FnMut(&mut f32, usize)) {
        let Convolution { kernel, .. } = self.conv;
        let (channels, outputs) = (self.conv.group_channels(), self.conv.group_outputs());
        for (r, run) in self.numbers.chunks_exact_mut(self.length).enumerate() {
            let (c, rest) = (r % channels, r / channels);
            let (ky, group) = (rest % kernel[0], rest / kernel[0]);
            for (i, number) in run.iter_mut().take(kernel[1] * outputs).enumerate() {
                let (kx, output) = (kernel[1] - 1 - i / outputs, group * outputs + i % outputs);
                f(
                    number,
                    ((output * kernel[0] + ky) * kernel[1] + kx) * channels + c,
                );
            }
        }
    }

    /// The run of an event of a channel.
    #[inline(always)]
    fn run(&self, group: usize, ky: usize, channel: usize) -> std::ops::Range<usize> {
        let line = group * self.conv.kernel[0] + ky;
        let first = (line * self.conv.group_channels() + channel) * self.length;
        first..first + self.length
    }

    /// Numbers of a line of sums, with those behind it that runs overhang.
    fn line_length(&self) -> usize {
        self.conv.reached() * self.conv.group_outputs() + self.length
    }

    /// The sums of a group for a sample whose events are listed: `out` is `[height, width, outputs]`.
    #[inline(always)]
    #[allow(
        clippy::too_many_arguments,
        reason = "what it reads, and where it writes"
    )]
    pub(super) fn add<S: Simd>(
        &self,
        simd: S,
        taps: &Taps,
        group: usize,
        bias: Option<&[f32]>,
        [_, width]: [usize; 2],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let (conv, outputs) = (self.conv, self.conv.group_outputs());
        let channels = conv.group_channels();
        let [sums] = scratch.slices([self.line_length()]);
        let (kept, start) = conv.kept(width);
        for (y, line) in out.chunks_exact_mut(width * conv.outputs).enumerate() {
            sums.fill(0.0);
            let mut events = 0;
            for ky in 0..conv.kernel[0] {
                let Some(from) = conv.line(y, ky) else {
                    continue;
                };
                for place in taps.line(group, from) {
                    let (x, channel) = (place / channels, place % channels);
                    let run = &self.numbers[self.run(group, ky, channel)];
                    let sums = &mut sums[x * outputs..][..self.length];
                    for (sums, run) in sums
                        .chunks_exact_mut(S::LANES)
                        .zip(run.chunks_exact(S::LANES))
                    {
                        simd.store(sums, simd.add(simd.load(sums), simd.load(run)));
                    }
                    events += 1;
                }
            }
            for (x, out) in line.chunks_exact_mut(conv.outputs).enumerate() {
                let out = &mut out[group * outputs..][..outputs];
                if kept.contains(&x) {
                    out.copy_from_slice(&sums[(start + x - kept.start) * outputs..][..outputs]);
                } else {
                    out.fill(0.0);
                }
                for (out, bias) in out.iter_mut().zip(bias.into_iter().flatten()) {
                    *out += bias;
                }
            }
            progress((events * self.length + width * outputs) / ADDITIONS_PER_STEP);
        }
    }

    /// Adds the gradients `[height, width, outputs]` of a sample, whose events are listed, to those of
    /// the weights of a group.
    #[inline(always)]
    pub(super) fn add_gradients<S: Simd>(
        &mut self,
        simd: S,
        taps: &Taps,
        group: usize,
        width: usize,
        scratch: &mut Scratch,
        grad: &[f32],
    ) {
        let (conv, outputs) = (self.conv, self.conv.group_outputs());
        let channels = conv.group_channels();
        let [padded] = scratch.slices([self.line_length()]);
        padded.fill(0.0);
        let (kept, start) = conv.kept(width);
        for (y, line) in grad.chunks_exact(width * conv.outputs).enumerate() {
            for (x, grad) in line.chunks_exact(conv.outputs).enumerate() {
                if kept.contains(&x) {
                    let to = &mut padded[(start + x - kept.start) * outputs..][..outputs];
                    to.copy_from_slice(&grad[group * outputs..][..outputs]);
                }
            }
            let mut events = 0;
            for ky in 0..conv.kernel[0] {
                let Some(from) = conv.line(y, ky) else {
                    continue;
                };
                for place in taps.line(group, from) {
                    let (x, channel) = (place / channels, place % channels);
                    let run = self.run(group, ky, channel);
                    let grads = padded[x * outputs..][..self.length].chunks_exact(S::LANES);
                    let sums = self.numbers[run].chunks_exact_mut(S::LANES);
                    for (sums, grads) in sums.zip(grads) {
                        simd.store(sums, simd.add(simd.load(sums), simd.load(grads)));
                    }
                    events += 1;
                }
            }
            progress((events * self.length + width * outputs) / ADDITIONS_PER_STEP);
        }
    }
}
