//! Windows on feature maps in integers: their sum, or their largest.

use super::super::super::Error;
use super::super::super::builder::Builder;
use super::super::super::fields::Fields;
use super::super::super::memory::Memory;
use super::super::super::values::{Kind, Value};
use super::super::maps::Maps;
use crate::conv::{Windows, sum_row};
use crate::integer::{Excess, LARGEST};
use crate::simd::{Isa, compiled_for};
use crate::spikes::layout::{padded, words};
use alloc::vec;
use alloc::vec::Vec;

/// Pooling without padding.
#[derive(Debug)]
pub(in super::super::super) struct Pool {
    largest: bool,
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
        largest: bool,
    ) -> Result<Self, Error> {
        let name = fields.text("in")?;
        let input = builder.value_of(fields, "in", &name, Kind::WHOLE)?;
        if largest && input.kind == Kind::Spikes {
            return Err(fields.value("in", "integers: \"orpool\" is that of spikes"));
        }
        let maps = Maps::of(&input, fields)?;
        let windows = maps.windows(fields)?;
        let grid = windows.grid()?;
        let shape = maps.shape(maps.channels, grid);
        let output = builder.define(output, Kind::Integers, &shape)?;
        let op = Self {
            largest,
            windows,
            grid,
            output,
            input,
        };
        let bounds = op.bounds(&builder.bounds.of(&op.input));
        let bounds = bounds.map_err(|excess| fields.excess(excess, LARGEST))?;
        builder.bounds.set(&op.output, bounds);
        if op.input.kind == Kind::Spikes {
            builder.bounds.set_natural(&op.output);
        }
        Ok(op)
    }

    /// The bound of each window.
    fn bounds(&self, inputs: &[u32]) -> Result<Vec<u32>, Excess> {
        let mut bounds = vec![0_u64; self.output.neurons];
        self.each(inputs, &mut bounds, 0, |bound, x| {
            if self.largest {
                bound.max(x.into())
            } else {
                bound.saturating_add(x.into())
            }
        });
        let bounds = bounds.into_iter().enumerate();
        bounds
            .map(|(neuron, bound)| Excess::check(neuron, bound))
            .collect()
    }

    /// What is gathered of each window, line by line.
    fn each<X: Copy, T: Copy>(
        &self,
        row: &[X],
        results: &mut [T],
        first: T,
        gather: impl Fn(T, X) -> T,
    ) {
        let Windows {
            height,
            width,
            window,
            stride,
            ..
        } = self.windows;
        let maps = results.chunks_exact_mut(self.grid[0] * self.grid[1]);
        for (map, results) in row.chunks_exact(height * width).zip(maps) {
            for (place, result) in results.iter_mut().enumerate() {
                let [y, x] = [place / self.grid[1], place % self.grid[1]];
                let corner = y * stride[0] * width + x * stride[1];
                *result = first;
                for y in 0..window[0] {
                    for &x in &map[corner + y * width..][..window[1]] {
                        *result = gather(*result, x);
                    }
                }
            }
        }
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let (input, output) = (&self.input, &self.output);
        let mut out = core::mem::take(&mut memory.integers[output.slot]);
        let outs = out.chunks_exact_mut(padded(output.neurons));
        let outs = outs.map(|row| &mut row[..output.neurons]);
        match input.kind {
            Kind::Spikes => {
                let rows = memory.spikes_of(input).chunks_exact(words(input.neurons));
                let each = |(row, sums): (&[u64], &mut [i32])| {
                    sum_row(row, self.windows, self.grid, sums, |count| count as i32);
                };
                compiled_for(
                    isa,
                    #[inline(always)]
                    || rows.zip(outs).for_each(each),
                );
            }
            Kind::Integers | Kind::Numbers => {
                let row = padded(input.neurons);
                let rows = memory.integers_of(input).chunks_exact(row);
                for (row, out) in rows.zip(outs) {
                    let row = &row[..input.neurons];
                    if self.largest {
                        self.each(row, out, i32::MIN, i32::max);
                    } else {
                        self.each(row, out, 0, i32::wrapping_add);
                    }
                }
            }
        }
        memory.integers[output.slot] = out;
    }
}
