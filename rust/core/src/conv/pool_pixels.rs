//! Pools of maps whose channels lie last: what a window covers are runs of channels.

use super::Windows;
use crate::parallel::progress;
use crate::simd::{Kernel, Simd};
use crate::spikes::layout::{self, WORD_BITS};
use crate::spikes::regroup::bits_at;
use alloc::vec;

/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;

impl Windows {
    /// Calls `visit` for each run of at most `step` channels of each window, with the place of its
    /// result and those of its inputs, in the order in which a window is read.
    #[inline(always)]
    fn for_each_run(&self, grid: [usize; 2], step: usize, mut visit: impl FnMut(Run<'_>)) {
        let mut places = vec![0; self.window[0] * self.window[1]];
        for y in 0..grid[0] {
            for x in 0..grid[1] {
                let corner = (y * self.stride[0] * self.width + x * self.stride[1]) * self.planes;
                for first in (0..self.planes).step_by(step) {
                    for (dy, places) in places.chunks_exact_mut(self.window[1]).enumerate() {
                        for (dx, place) in places.iter_mut().enumerate() {
                            *place = corner + (dy * self.width + dx) * self.planes + first;
                        }
                    }
                    visit(Run {
                        result: (y * grid[1] + x) * self.planes + first,
                        inputs: &places,
                        length: step.min(self.planes - first),
                    });
                }
            }
            progress(grid[1] * places.len());
        }
    }
}

/// Neighbouring channels of a window.
struct Run<'a> {
    /// Place of the first one's result.
    result: usize,
    /// Places of the first one's inputs.
    inputs: &'a [usize],
    length: usize,
}

impl Run<'_> {
    /// As many bits as the run is long.
    #[inline(always)]
    fn mask(&self) -> u64 {
        u64::MAX >> (WORD_BITS - self.length)
    }
}

/// The maxima of a row: the lines of its windows are joined first, whole words at a time.
#[inline(always)]
pub(super) fn max_row(row: &[u64], windows: Windows, grid: [usize; 2], maxima: &mut [u64]) {
    let Windows { planes, width, .. } = windows;
    let mut joined = vec![0; layout::words(width * planes)];
    maxima.fill(0);
    for y in 0..grid[0] {
        for (i, joined) in joined.iter_mut().enumerate() {
            let line = |dy| (y * windows.stride[0] + dy) * width * planes;
            *joined = (0..windows.window[0])
                .fold(0, |any, dy| any | bits_at(row, line(dy) + i * WORD_BITS));
        }
        for x in 0..grid[1] {
            for first in (0..planes).step_by(WORD_BITS) {
                let length = WORD_BITS.min(planes - first);
                let corner = x * windows.stride[1] * planes + first;
                let any = (0..windows.window[1])
                    .fold(0, |any, dx| any | bits_at(&joined, corner + dx * planes));
                let any = any & (u64::MAX >> (WORD_BITS - length));
                let place = (y * grid[1] + x) * planes + first;
                let (word, shift) = (place / WORD_BITS, place % WORD_BITS);
                maxima[word] |= any << shift;
                if shift + length > WORD_BITS {
                    maxima[word + 1] |= any >> (WORD_BITS - shift);
                }
            }
        }
        progress(grid[1] * windows.window[0] * windows.window[1]);
    }
}

/// Sums of the windows of some rows.
pub(super) struct Sums<'a> {
    pub(super) words: &'a [u64],
    /// Words of a row.
    pub(super) row_len: usize,
    pub(super) windows: Windows,
    pub(super) grid: [usize; 2],
    pub(super) sums: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (one, zero) = (simd.splat(1.0), simd.splat(0.0));
        let outputs = self.windows.planes * self.grid[0] * self.grid[1];
        let rows = self.words.chunks_exact(self.row_len);
        for (row, sums) in rows.zip(self.sums.chunks_exact_mut(outputs)) {
            self.windows.for_each_run(
                self.grid,
                S::LANES,
                #[inline(always)]
                |run| {
                    let mut sum = zero;
                    for &place in run.inputs {
                        let fires = simd.to_mask(bits_at(row, place) & run.mask());
                        sum = simd.add(sum, simd.select(fires, one, zero));
                    }
                    simd.store_partial(&mut sums[run.result..][..run.length], sum);
                },
            );
        }
    }
}

/// Gradients of the maxima of some rows.
pub(super) struct MaxGradients<'a> {
    pub(super) words: &'a [u64],
    /// Words of a row.
    pub(super) row_len: usize,
    pub(super) windows: Windows,
    pub(super) grid: [usize; 2],
    pub(super) grad: &'a [f32],
    pub(super) to_spikes: &'a mut [f32],
}

impl Kernel for MaxGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let outputs = self.windows.planes * self.grid[0] * self.grid[1];
        let rows = self
            .words
            .chunks_exact(self.row_len)
            .zip(self.grad.chunks_exact(outputs))
            .zip(self.to_spikes.chunks_exact_mut(self.windows.neurons()));
        for ((row, grad), to_spikes) in rows {
            to_spikes.fill(0.0);
            self.windows.for_each_run(
                self.grid,
                S::LANES,
                #[inline(always)]
                |run| send_back(simd, row, &run, grad, to_spikes),
            );
        }
    }
}

/// Sends the gradients of a run of windows to the first spike of each, or to its first neuron.
#[inline(always)]
fn send_back<S: Simd>(simd: S, row: &[u64], run: &Run<'_>, grad: &[f32], to_spikes: &mut [f32]) {
    let grad = simd.load_partial(&grad[run.result..][..run.length]);
    let mut silent = run.mask();
    for &place in run.inputs {
        let first = bits_at(row, place) & silent;
        silent &= !first;
        if first != 0 {
            add_where(simd, first, grad, &mut to_spikes[place..][..run.length]);
        }
    }
    if silent != 0 {
        add_where(
            simd,
            silent,
            grad,
            &mut to_spikes[run.inputs[0]..][..run.length],
        );
    }
}

/// Adds the lanes whose bits are set.
#[inline(always)]
fn add_where<S: Simd>(simd: S, bits: u64, share: S::F32, to: &mut [f32]) {
    let share = simd.select(simd.to_mask(bits), share, simd.splat(0.0));
    if to.len() == S::LANES {
        return simd.store(to, simd.add(simd.load(to), share));
    }
    // A masked store takes longer than to add the few one by one.
    let mut shares = [0.0; MOST_LANES];
    simd.store(&mut shares, share);
    to.iter_mut()
        .zip(shares)
        .for_each(|(to, share)| *to += share);
}
