//! Windows on feature maps: their sum, their mean, their largest number, or whether any neuron fires.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::memory::Memory;
use super::super::values::{Kind, Value};
use super::maps::Maps;
use crate::conv::{Windows, max_row, sum_row};
use crate::simd::{Isa, compiled_for};
use crate::spikes::layout::{padded, words};

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reduction {
    Sum,
    Mean,
    Largest,
    Any,
}

/// Pooling without padding.
#[derive(Debug)]
pub(in super::super) struct Pool {
    reduction: Reduction,
    windows: Windows,
    grid: [usize; 2],
    input: Value,
    output: Value,
}

impl Pool {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
        reduction: Reduction,
    ) -> Result<Self, Error> {
        let input = builder.read(fields, "in")?;
        match (reduction, input.kind) {
            (Reduction::Any, Kind::Numbers) => {
                return Err(fields.value("in", "spikes, and not numbers"));
            }
            (Reduction::Largest, Kind::Spikes) => {
                return Err(fields.value("in", "numbers: \"orpool\" is that of spikes"));
            }
            _ => {}
        }
        let maps = Maps::of(&input, fields)?;
        let windows = maps.windows(fields)?;
        let grid = windows.grid()?;
        let kind = match reduction {
            Reduction::Any => Kind::Spikes,
            Reduction::Sum | Reduction::Mean | Reduction::Largest => Kind::Numbers,
        };
        Ok(Self {
            reduction,
            windows,
            grid,
            output: builder.define(output, kind, &maps.shape(maps.channels, grid))?,
            input,
        })
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let Self {
            windows,
            grid,
            input,
            output,
            ..
        } = self;
        let neurons = output.neurons;
        if self.reduction == Reduction::Any {
            let mut out = core::mem::take(&mut memory.spikes[output.slot]);
            let rows = memory.spikes_of(input).chunks_exact(words(input.neurons));
            let pairs = rows.zip(out.chunks_exact_mut(words(neurons)));
            compiled_for(
                isa,
                #[inline(always)]
                || pairs.for_each(|(row, maxima)| max_row(row, *windows, *grid, maxima)),
            );
            memory.spikes[output.slot] = out;
            return;
        }
        let mut out = core::mem::take(&mut memory.numbers[output.slot]);
        let outs = out.chunks_exact_mut(padded(neurons));
        let outs = outs.map(|row| &mut row[..neurons]);
        compiled_for(
            isa,
            #[inline(always)]
            || match input.kind {
                Kind::Spikes => {
                    let rows = memory.spikes_of(input).chunks_exact(words(input.neurons));
                    rows.zip(outs).for_each(|(row, sums)| {
                        sum_row(row, *windows, *grid, sums, |count| count as f32);
                        self.finish(sums);
                    });
                }
                Kind::Integers => unreachable!("integers are refused when the op is read"),
                Kind::Numbers => {
                    let rows = memory.numbers_of(input).chunks_exact(padded(input.neurons));
                    rows.zip(outs).for_each(|(row, sums)| {
                        self.reduce(row, sums);
                        self.finish(sums);
                    });
                }
            },
        );
        memory.numbers[output.slot] = out;
    }

    /// The sums of the windows of a row of numbers, each from 0, or their largest numbers, line by line.
    #[inline(always)]
    fn reduce(&self, row: &[f32], results: &mut [f32]) {
        let Windows {
            height,
            width,
            window,
            stride,
            ..
        } = self.windows;
        let largest = self.reduction == Reduction::Largest;
        let maps = results.chunks_exact_mut(self.grid[0] * self.grid[1]);
        for (map, results) in row.chunks_exact(height * width).zip(maps) {
            for (place, result) in results.iter_mut().enumerate() {
                let [y, x] = [place / self.grid[1], place % self.grid[1]];
                let corner = y * stride[0] * width + x * stride[1];
                *result = if largest { f32::NEG_INFINITY } else { 0.0 };
                for y in 0..window[0] {
                    for &x in &map[corner + y * width..][..window[1]] {
                        if !largest {
                            *result += x;
                        } else if x > *result || x.is_nan() {
                            *result = x;
                        }
                    }
                }
            }
        }
    }

    /// Makes means of sums, if means are wanted.
    #[inline(always)]
    fn finish(&self, sums: &mut [f32]) {
        if self.reduction == Reduction::Mean {
            let size = (self.windows.window[0] * self.windows.window[1]) as f32;
            sums.iter_mut().for_each(|sum| *sum /= size);
        }
    }
}
