//! Convolutions with few outputs: each event adds its weights to a line of sums.

use super::Convolution;
use super::taps::Taps;
use crate::matmul::ADDITIONS_PER_STEP;
use crate::parallel::progress;
use crate::simd::{Isa, Simd};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Runs of numbers, `[groups, kernel lines, channels, taps from right to left, outputs]`: the weights
/// that an event of a line adds, and the sums that an event's gradients go to.
///
/// An event at pixel `x` reaches the outputs from `x - kernel + 1` on, the first of them by the
/// rightmost tap.
#[derive(Debug)]
pub(super) struct Runs {
    conv: Convolution,
    /// Length of a run: whole vectors.
    length: usize,
    /// For each place of a line of a group's inputs, where its sums begin, and where its run does.
    events: Vec<(u32, u32)>,
    pub(super) numbers: Vec<f32>,
}

impl Runs {
    /// Runs of zeros.
    pub(super) fn zeros(isa: Isa, conv: Convolution) -> Self {
        let run = conv.kernel[1] * conv.group_outputs();
        let length = run.next_multiple_of(isa.lanes());
        let runs = conv.groups * conv.kernel[0] * conv.group_channels();
        let channels = conv.group_channels();
        let event = |place| {
            let (x, channel) = (place / channels, place % channels);
            ((x * conv.group_outputs()) as u32, (channel * length) as u32)
        };
        Self {
            conv,
            length,
            events: (0..conv.size[1] * channels).map(event).collect(),
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

    /// The runs of a line of the kernel.
    #[inline(always)]
    fn line(&self, group: usize, ky: usize) -> Range<usize> {
        let size = self.conv.group_channels() * self.length;
        let first = (group * self.conv.kernel[0] + ky) * size;
        first..first + size
    }

    /// Numbers of a line of sums, with those behind it that runs overhang.
    pub(super) fn line_length(&self) -> usize {
        self.conv.reached() * self.conv.group_outputs() + self.length
    }

    /// The sums of a group for a sample whose events are listed: `out` is `[height, width, outputs]`.
    /// Outputs that no input reaches are left as they are. `sums` is memory for a
    /// [line](Self::line_length) of them.
    #[inline(always)]
    pub(super) fn add<S: Simd>(
        &self,
        simd: S,
        taps: &Taps,
        group: usize,
        width: usize,
        sums: &mut [f32],
        out: &mut [f32],
    ) {
        for (y, line) in out.chunks_exact_mut(width * self.conv.outputs).enumerate() {
            sums.fill(0.0);
            let mut events = 0;
            for ky in 0..self.conv.kernel[0] {
                let Some(from) = self.conv.line(y, ky) else {
                    continue;
                };
                let runs = &self.numbers[self.line(group, ky)];
                for event in taps.line(group, from) {
                    let (sum, run) = self.events[event];
                    let sums = &mut sums[sum as usize..][..self.length];
                    let run = &runs[run as usize..][..self.length];
                    for (sums, run) in sums
                        .chunks_exact_mut(S::LANES)
                        .zip(run.chunks_exact(S::LANES))
                    {
                        simd.store(sums, simd.add(simd.load(sums), simd.load(run)));
                    }
                    events += 1;
                }
            }
            self.for_each_kept(
                group,
                width,
                #[inline(always)]
                |out, from| line[out.clone()].copy_from_slice(&sums[from..][..out.len()]),
            );
            progress((events * self.length + line.len()) / ADDITIONS_PER_STEP);
        }
    }

    /// Adds the gradients `[height, width, outputs]` of a sample, whose events are listed, to those of
    /// the weights of a group. `padded` is memory for a [line](Self::line_length) of them.
    #[inline(always)]
    pub(super) fn add_gradients<S: Simd>(
        &mut self,
        simd: S,
        taps: &Taps,
        group: usize,
        width: usize,
        padded: &mut [f32],
        grad: &[f32],
    ) {
        padded.fill(0.0);
        for (y, line) in grad.chunks_exact(width * self.conv.outputs).enumerate() {
            self.for_each_kept(
                group,
                width,
                #[inline(always)]
                |from, to| padded[to..][..from.len()].copy_from_slice(&line[from]),
            );
            let mut events = 0;
            for ky in 0..self.conv.kernel[0] {
                let Some(from) = self.conv.line(y, ky) else {
                    continue;
                };
                let runs = self.line(group, ky);
                let runs = &mut self.numbers[runs];
                for event in taps.line(group, from) {
                    let (grad, run) = self.events[event];
                    let grads = &padded[grad as usize..][..self.length];
                    let sums = &mut runs[run as usize..][..self.length];
                    for (sums, grads) in sums
                        .chunks_exact_mut(S::LANES)
                        .zip(grads.chunks_exact(S::LANES))
                    {
                        simd.store(sums, simd.add(simd.load(sums), simd.load(grads)));
                    }
                    events += 1;
                }
            }
            progress((events * self.length + line.len()) / ADDITIONS_PER_STEP);
        }
    }

    /// Calls `visit` with outputs of a line that some input reaches, and where their sums begin.
    #[inline(always)]
    fn for_each_kept(
        &self,
        group: usize,
        width: usize,
        mut visit: impl FnMut(Range<usize>, usize),
    ) {
        let (all, own) = (self.conv.outputs, self.conv.group_outputs());
        let (kept, start) = self.conv.kept(width);
        if all == own {
            visit(kept.start * own..kept.end * own, start * own);
            return;
        }
        for (i, x) in kept.enumerate() {
            let first = x * all + group * own;
            visit(first..first + own, (start + i) * own);
        }
    }
}
