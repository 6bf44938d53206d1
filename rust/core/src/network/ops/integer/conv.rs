//! Convolutions of feature maps in integers.

use super::super::super::Error;
use super::super::super::builder::Builder;
use super::super::super::fields::Fields;
use super::super::super::memory::Memory;
use super::super::super::scratch::Scratch;
use super::super::super::values::{Kind, Value};
use super::super::maps::Maps;
use super::super::patches::{copy_patches, taps_first, write_line};
use super::linear::largest;
use super::weights::Weights;
use crate::conv::{Convolution, Order, Taps};
use crate::integer::{self, Excess, Groups, Packed, sums_of_integers, sums_of_spikes};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::{padded, words};
use alloc::vec;
use alloc::vec::Vec;

/// A convolution, and its memory's place.
#[derive(Debug)]
pub(in super::super::super) struct Conv {
    conv: Convolution,
    grid: [usize; 2],
    /// The weights of each group, and its bias, padded.
    groups: Vec<(Packed, Vec<i32>)>,
    input: Value,
    output: Value,
    /// Which of the memories of convolutions.
    slot: usize,
}

impl Conv {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
        axes: usize,
    ) -> Result<Self, Error> {
        let name = fields.text("in")?;
        let input = builder.value_of(fields, "in", &name, Kind::WHOLE)?;
        let maps = Maps::of(&input, fields)?;
        let weights = Weights::read(builder, fields)?;
        let (conv, grid) = maps.convolution(fields, &weights.shape, axes)?;
        builder.reserve(grid[1].saturating_mul(padded(conv.taps())))?;
        let shape = maps.shape(conv.outputs, grid);
        let output = builder.define(output, Kind::Integers, &shape)?;
        let largest = largest(builder, fields, &input)?;
        let bounds = fields.bounds(bounds(conv, grid, &weights, &largest))?;
        builder.bounds.set(&output, bounds);
        let (outputs, taps) = (conv.group_outputs(), conv.taps());
        let numbers = taps_first(&weights.numbers, conv);
        let groups = numbers.chunks_exact(outputs * taps);
        let groups = groups.zip(weights.bias.chunks_exact(outputs));
        let groups = groups.map(|(numbers, bias)| {
            let mut bias = bias.to_vec();
            bias.resize(padded(outputs), 0);
            let factors = builder.bounds.factors(&input);
            (Packed::new(builder.isa, numbers, outputs, factors), bias)
        });
        let groups = groups.collect();
        let slot = builder.sizes.convolutions;
        builder.sizes.convolutions += 1;
        let op = Self {
            conv,
            grid,
            groups,
            input,
            output,
            slot,
        };
        builder.sizes.fixed = builder.sizes.fixed.saturating_add(op.scratch().bytes());
        Ok(op)
    }

    /// Memory to work in, for one sample.
    pub(super) fn scratch(&self) -> Scratch {
        let (width, taps) = (self.grid[1], self.conv.taps());
        let is_spikes = self.input.kind == Kind::Spikes;
        let [patches, joined] = match is_spikes {
            true => [0, 0],
            false => [width * padded(taps), taps.div_ceil(2)],
        };
        Scratch::Integers {
            taps: is_spikes.then(|| Taps::new(self.conv, Order::ChannelsFirst)),
            patches: vec![0; patches],
            joined: vec![0; joined],
            active: vec![0; joined],
            sums: vec![0; width * padded(self.conv.group_outputs())],
        }
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut out = core::mem::take(&mut memory.integers[self.output.slot]);
        let mut convolutions = core::mem::take(&mut memory.convolutions);
        dispatch(
            isa,
            Sums {
                op: self,
                memory,
                scratch: &mut convolutions[self.slot],
                out: &mut out,
            },
        );
        memory.convolutions = convolutions;
        memory.integers[self.output.slot] = out;
    }
}

/// The bound of each neuron of the output.
fn bounds(
    conv: Convolution,
    grid: [usize; 2],
    weights: &Weights,
    largest: &[u32],
) -> Result<Vec<u32>, Excess> {
    let (channels, outputs, taps) = (conv.group_channels(), conv.group_outputs(), conv.taps());
    let (kernel, pixels) = (conv.kernel[0] * conv.kernel[1], grid[0] * grid[1]);
    let maps = largest.chunks_exact(conv.size[0] * conv.size[1]);
    let of_maps: Vec<_> = maps
        .map(|map| map.iter().copied().max().unwrap_or(0))
        .collect();
    let mut bounds = Vec::new();
    for group in 0..conv.groups {
        let of_taps = of_maps[group * channels..][..channels].iter();
        let of_taps: Vec<_> = of_taps.flat_map(|&bound| vec![bound; kernel]).collect();
        let first = group * outputs;
        let numbers = &weights.numbers[first * taps..][..outputs * taps];
        let of_group = integer::of_sums(numbers, &weights.bias[first..][..outputs], &of_taps);
        let of_group = of_group.map_err(|excess| Excess {
            neuron: (first + excess.neuron) * pixels,
            ..excess
        })?;
        bounds.extend(of_group.into_iter().flat_map(|bound| vec![bound; pixels]));
    }
    Ok(bounds)
}

/// The sums of all samples.
struct Sums<'a> {
    op: &'a Conv,
    memory: &'a Memory,
    scratch: &'a mut Scratch,
    out: &'a mut [i32],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            op,
            memory,
            scratch,
            out,
        } = self;
        let Scratch::Integers {
            taps,
            patches,
            joined,
            active,
            sums,
        } = scratch
        else {
            unreachable!("the memory was made for this op");
        };
        let (conv, [height, width], neurons) = (op.conv, op.grid, op.input.neurons);
        let row = padded(conv.group_outputs());
        for (sample, out) in out.chunks_exact_mut(padded(op.output.neurons)).enumerate() {
            if let Some(taps) = taps {
                let row = words(neurons);
                taps.list(&memory.spikes_of(&op.input)[sample * row..][..row]);
            }
            for (group, (weights, bias)) in op.groups.iter().enumerate() {
                for y in 0..height {
                    if taps.is_none() {
                        let row = padded(neurons);
                        let maps = &memory.integers_of(&op.input)[sample * row..][..row];
                        copy_patches(conv, maps, group, y, patches);
                    }
                    for (x, sums) in sums.chunks_exact_mut(row).take(width).enumerate() {
                        if let Some(taps) = taps {
                            sums_of_spikes(simd, weights, bias, taps.of(group, y, x), sums);
                            continue;
                        }
                        let patch = &patches[x * padded(conv.taps())..][..conv.taps()];
                        let groups = Groups {
                            joined: &mut *joined,
                            active: &mut *active,
                        };
                        sums_of_integers(simd, weights, bias, patch, groups, sums);
                    }
                    write_line(conv, op.grid, (group, y), sums, out);
                }
            }
        }
    }
}
