//! Which weights of a kernel the spikes of a sample select.

use super::{Convolution, Order};
use crate::spikes::indices::{self, SLACK};
use crate::spikes::layout::{WORD_BITS, words};
use crate::spikes::swap::move_bits;
use alloc::vec;
use alloc::vec::Vec;

/// Numbers that are copied at a time.
const STEP: usize = 8;

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
    /// The weights that a pixel of the output adds.
    selected: Vec<u32>,
}

impl Taps {
    pub(crate) fn new(conv: Convolution, order: Order) -> Self {
        let (pixels, group) = (conv.pixels(), conv.group_channels());
        let place = |n: usize| {
            let (channel, pixel) = match order {
                Order::ChannelsFirst => (n / pixels, n % pixels),
                Order::ChannelsLast => (n % conv.channels, n / conv.channels),
            };
            (channel / group * pixels + pixel) * group + channel % group
        };
        let places: Vec<_> = (0..conv.neurons()).map(|n| place(n) as u32).collect();
        let in_place = places.iter().zip(0..).all(|(&place, n)| place == n);
        Self {
            conv,
            row: vec![0; if in_place { 0 } else { words(conv.neurons()) }],
            places: if in_place { Vec::new() } else { places },
            active: vec![0; conv.neurons() + SLACK.max(STEP)],
            starts: vec![0; conv.groups * pixels + 1],
            selected: vec![0; conv.taps() + STEP],
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let numbers = [&self.places, &self.active, &self.starts, &self.selected];
        size_of::<u64>() * self.row.len()
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
        let Convolution {
            size: [_, width],
            kernel,
            stride,
            padding,
            dilation,
            ..
        } = self.conv;
        let channels = self.conv.group_channels();
        let mut count = 0;
        for ky in 0..kernel[0] {
            let Some(line) = self.conv.line(y, ky) else {
                continue;
            };
            let pixel = group * self.conv.pixels() + line * width;
            let runs = if dilation[1] == 1 { 1 } else { kernel[1] };
            for run in 0..runs {
                // Neighbouring taps meet neighbouring pixels, whose inputs lie side by side.
                let taps = if runs == 1 { kernel[1] } else { 1 };
                let left = x * stride[1] + run * dilation[1];
                let first = left.saturating_sub(padding[1]).min(width);
                let last = (left + taps).saturating_sub(padding[1]).min(width);
                let first_tap = ky * kernel[1] + run + (first + padding[1]).saturating_sub(left);
                let shift = (first_tap * channels) as u32;
                let shift = shift.wrapping_sub(((pixel + first) * channels) as u32);
                let [from, to] = [first, last].map(
                    #[inline(always)]
                    |x| self.starts[pixel + x] as usize,
                );
                count += copy(
                    &self.active[from..],
                    to - from,
                    shift,
                    &mut self.selected[count..],
                );
            }
        }
        &self.selected[..count]
    }
}

/// Copies so many numbers, and rubbish up to a whole step behind them, each `shift` larger.
#[inline(always)]
fn copy(from: &[u32], count: usize, shift: u32, to: &mut [u32]) -> usize {
    let steps = count.div_ceil(STEP);
    let from = from.as_chunks::<STEP>().0.iter();
    let to = to.as_chunks_mut::<STEP>().0;
    for (from, to) in from.zip(to).take(steps) {
        for i in 0..STEP {
            to[i] = from[i].wrapping_add(shift);
        }
    }
    count
}
