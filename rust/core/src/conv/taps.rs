//! Which weights of a kernel the spikes of a sample select.

use super::{Convolution, Order};
use crate::simd::array;
use crate::spikes::indices::{self, SLACK};
use crate::spikes::layout::{WORD_BITS, words};
use crate::spikes::swap::move_bits;
use alloc::vec;
use alloc::vec::Vec;

/// Numbers that are copied at a time.
const STEP: usize = 8;
/// Steps that are taken unseen: few runs are longer, and to look would be to mispredict.
const STEPS: usize = 2;

/// The active inputs of one sample, as a convolution meets them: ascending, group by group, in each
/// pixel by pixel.
#[derive(Clone, Debug)]
pub(crate) struct Taps {
    conv: Convolution,
    /// The place of each neuron of a row; empty if it lies there already.
    places: Vec<u32>,
    /// The row, its neurons in their places.
    row: Vec<u64>,
    /// The places of active inputs.
    active: Vec<u32>,
    /// For each pixel of each group, where its active inputs start; last, where all end.
    starts: Vec<u32>,
    /// Weights in front of each line of taps, and behind it, that are 0.
    margin: usize,
    /// The group and the line of the output that were asked for last.
    at: (usize, usize),
    /// For each line of taps that meets inputs there, where these start, and what turns a place into a
    /// weight of the first pixel.
    lines: Vec<(usize, u32)>,
    /// The weights that a pixel of the output adds.
    selected: Vec<u32>,
}

impl Taps {
    pub(crate) fn new(conv: Convolution, order: Order) -> Self {
        let (pixels, group) = (conv.pixels(), conv.group_channels());
        let mut places = vec![0; conv.neurons()];
        for channel in 0..conv.channels {
            let (first, step) = match order {
                Order::ChannelsFirst => (channel * pixels, 1),
                Order::ChannelsLast => (channel, conv.channels),
            };
            let place = channel / group * pixels * group + channel % group;
            for (pixel, n) in (first..).step_by(step).take(pixels).enumerate() {
                places[n] = (place + pixel * group) as u32;
            }
        }
        let in_place = places.iter().zip(0..).all(|(&place, n)| place == n);
        Self {
            conv,
            row: vec![0; if in_place { 0 } else { words(conv.neurons()) }],
            places: if in_place { Vec::new() } else { places },
            active: vec![0; conv.neurons() + SLACK.max(STEPS * STEP)],
            starts: vec![0; conv.groups * pixels + 1],
            margin: 0,
            at: (usize::MAX, usize::MAX),
            lines: Vec::with_capacity(conv.kernel[0]),
            selected: vec![0; conv.taps() + STEPS * STEP],
        }
    }

    /// The same for weights that have a 0 in front of each line of taps, and behind it, for
    /// [two](Self::of_two) pixels.
    pub(super) fn with_margin(self) -> Self {
        let of_two = self.conv.taps() + self.conv.kernel[0] * self.conv.group_channels();
        Self {
            margin: 1,
            selected: vec![0; of_two + STEPS * STEP],
            ..self
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let numbers = [&self.places, &self.active, &self.starts, &self.selected];
        size_of::<u64>() * self.row.len()
            + size_of::<(usize, u32)>() * self.lines.capacity()
            + size_of::<u32>() * numbers.map(Vec::len).iter().sum::<usize>()
    }

    /// The convolution that they belong to.
    #[inline(always)]
    pub(super) fn conv(&self) -> Convolution {
        self.conv
    }

    /// Lists the active inputs of a sample.
    #[inline(always)]
    pub(crate) fn list(&mut self, row: &[u64]) {
        let row = if self.places.is_empty() {
            row
        } else {
            move_bits(row, &self.places, &mut self.row);
            &self.row
        };
        indices::append(row, &mut self.active, 0);
        let group = self.conv.group_channels();
        let (mut count, mut word) = (0, 0);
        for (pixel, start) in self.starts.iter_mut().enumerate() {
            let place = pixel * group;
            while word < place / WORD_BITS {
                count += row[word].count_ones();
                word += 1;
            }
            let below = (1_u64 << (place % WORD_BITS)) - 1;
            *start = count + row.get(word).map_or(0, |&bits| (bits & below).count_ones());
        }
    }

    /// The active inputs of a line, as places within it.
    #[inline(always)]
    pub(super) fn line(&self, group: usize, line: usize) -> impl Iterator<Item = usize> {
        let width = self.conv.size[1];
        let pixel = group * self.conv.pixels() + line * width;
        let active = self.starts[pixel] as usize..self.starts[pixel + width] as usize;
        let first = (pixel * self.conv.group_channels()) as u32;
        self.active[active].iter().map(
            #[inline(always)]
            move |&place| (place - first) as usize,
        )
    }

    /// The weights, counted from the first of an output, that the output at `(y, x)` adds, ascending.
    #[inline(always)]
    pub(crate) fn of(&mut self, group: usize, y: usize, x: usize) -> &[u32] {
        self.select(group, y, x, 1)
    }

    /// The weights that two neighbouring outputs add: for each input that either of them meets, that of the second;
    /// the first adds the one that lies a pixel behind it. Where only one of them meets the input, the
    /// other's weight lies in the margin. Stride and dilation along a line must be 1.
    #[inline(always)]
    pub(super) fn of_two(&mut self, group: usize, y: usize, x: usize) -> &[u32] {
        self.select(group, y, x, 2)
    }

    /// The weights of so many neighbouring pixels.
    #[inline(always)]
    fn select(&mut self, group: usize, y: usize, x: usize, pixels: usize) -> &[u32] {
        let Convolution {
            size: [_, width],
            kernel: [_, kernel],
            stride: [_, stride],
            padding: [_, padding],
            dilation: [_, dilation],
            ..
        } = self.conv;
        if self.at != (group, y) {
            self.enter(group, y);
        }
        // Neighbouring taps meet neighbouring pixels, whose inputs lie side by side.
        let (runs, taps) = match dilation {
            1 => (1, kernel + pixels - 1),
            _ => (kernel, 1),
        };
        let channels = self.conv.group_channels();
        let mut count = 0;
        for &(start, shift) in &self.lines {
            for run in 0..runs {
                let left = x * stride + run * dilation;
                let [from, to] = array(
                    #[inline(always)]
                    |end| {
                        let x = left + end * taps;
                        self.starts[start + x.saturating_sub(padding).min(width)] as usize
                    },
                );
                let taps = (self.margin + 1 - pixels + run).wrapping_sub(left);
                let shift = shift.wrapping_add(taps.wrapping_mul(channels) as u32);
                let to_copy = &mut self.selected[count..];
                count += copy(&self.active[from..], to - from, shift, to_copy);
            }
        }
        &self.selected[..count]
    }

    /// Looks up which lines of inputs a line of the output meets.
    #[inline(always)]
    fn enter(&mut self, group: usize, y: usize) {
        let Convolution {
            size: [_, width],
            kernel,
            padding,
            ..
        } = self.conv;
        self.at = (group, y);
        self.lines.clear();
        for ky in 0..kernel[0] {
            if let Some(line) = self.conv.line(y, ky) {
                let pixel = group * self.conv.pixels() + line * width;
                let taps = ky * (kernel[1] + 2 * self.margin) + padding[1];
                let shift = taps.wrapping_sub(pixel);
                let shift = shift.wrapping_mul(self.conv.group_channels()) as u32;
                self.lines.push((pixel, shift));
            }
        }
    }
}

/// Copies so many numbers, and rubbish up to some whole steps behind them, each `shift` larger.
#[inline(always)]
fn copy(from: &[u32], count: usize, shift: u32, to: &mut [u32]) -> usize {
    let steps = count.div_ceil(STEP).max(STEPS);
    let from = from.as_chunks::<STEP>().0.iter();
    let to = to.as_chunks_mut::<STEP>().0;
    for (from, to) in from.zip(to).take(steps) {
        for i in 0..STEP {
            to[i] = from[i].wrapping_add(shift);
        }
    }
    count
}
