//! Convolutions of feature maps.

use super::super::Error;
use super::super::builder::Builder;
use super::super::fields::Fields;
use super::super::memory::Memory;
use super::super::scratch::{Active, Scratch};
use super::super::values::{Kind, Value};
use super::maps::Maps;
use super::patches::{copy_patches, taps_first, write_line};
use super::product::{Product, Rows};
use crate::conv::{Convolution, Order, Orders, Prepared, Taps};
use crate::matmul::packed::Packed;
use crate::matmul::{Matrix, tile_width};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::{padded, words};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// A convolution, and its memory's place.
#[derive(Debug)]
pub(in super::super) struct Conv {
    conv: Convolution,
    grid: [usize; 2],
    weights: Weights,
    input: Value,
    output: Value,
    /// Which of the memories of convolutions.
    slot: usize,
}

#[derive(Debug)]
enum Weights {
    /// For spikes.
    Prepared(Box<Prepared>),
    /// For numbers: the weights of each group, a row for each tap, and its bias, padded.
    Groups(Vec<(Packed, Vec<f32>)>),
}

impl Conv {
    pub(super) fn read(
        builder: &mut Builder<'_>,
        fields: &mut Fields,
        output: &str,
        axes: usize,
    ) -> Result<Self, Error> {
        let input = builder.read(fields, "in")?;
        let maps = Maps::of(&input, fields)?;
        let name = fields.text("weight")?;
        let tensor = builder.tensors.tensor(&name)?;
        let (conv, grid) = maps.convolution(fields, &tensor.shape, axes)?;
        let outputs = conv.outputs;
        let output = builder.define(output, Kind::Numbers, &maps.shape(outputs, grid))?;
        let numbers = tensor.numbers()?;
        if !numbers.iter().all(|x| x.is_finite()) {
            return Err(tensor.problem("must be finite"));
        }
        let weight = taps_first(&numbers, conv);
        let bias = match fields.text_or_null("bias")? {
            Some(name) => builder.tensor(&name, &[outputs])?,
            None => vec![0.0; outputs],
        };
        let weights = match input.kind {
            Kind::Spikes => {
                let maps = Order::ChannelsFirst;
                let orders = Orders {
                    spikes: maps,
                    sums: maps,
                };
                let prepared = Prepared::new(builder.isa, conv, orders, &weight, Some(&bias))?;
                Weights::Prepared(Box::new(prepared))
            }
            Kind::Numbers => {
                builder.reserve(grid[1].saturating_mul(padded(conv.taps())))?;
                Weights::Groups(groups(builder.isa, conv, &weight, &bias)?)
            }
            Kind::Integers => unreachable!("integers are refused when the op is read"),
        };
        let slot = builder.sizes.convolutions;
        builder.sizes.convolutions += 1;
        let op = Self {
            conv,
            grid,
            weights,
            input,
            output,
            slot,
        };
        builder.sizes.fixed = builder.sizes.fixed.saturating_add(op.scratch().bytes());
        Ok(op)
    }

    /// Memory to work in, for one sample.
    pub(super) fn scratch(&self) -> Scratch {
        match &self.weights {
            Weights::Prepared(prepared) => {
                let [pixels, line] = prepared.scratch();
                Scratch::Spikes {
                    taps: prepared.taps(),
                    pixels: vec![0.0; pixels],
                    line: vec![0.0; line],
                }
            }
            Weights::Groups(_) => {
                let (width, taps) = (self.grid[1], self.conv.taps());
                Scratch::Numbers {
                    patches: vec![0.0; width * padded(taps)],
                    sums: vec![0.0; width * padded(self.conv.group_outputs())],
                    active: Active::new(width, taps),
                }
            }
        }
    }

    pub(super) fn run(&self, isa: Isa, memory: &mut Memory) {
        let mut out = core::mem::take(&mut memory.numbers[self.output.slot]);
        let mut convolutions = core::mem::take(&mut memory.convolutions);
        let (inputs, neurons) = (self.input.neurons, self.output.neurons);
        let outs = out.chunks_exact_mut(padded(neurons));
        let outs = outs.map(|row| &mut row[..neurons]);
        match (&self.weights, &mut convolutions[self.slot]) {
            (Weights::Prepared(prepared), Scratch::Spikes { taps, pixels, line }) => {
                let rows = memory.spikes_of(&self.input).chunks_exact(words(inputs));
                for (spikes, out) in rows.zip(outs) {
                    dispatch(
                        isa,
                        Sums {
                            prepared,
                            spikes,
                            taps,
                            scratch: [pixels, line],
                            out,
                        },
                    );
                }
            }
            (
                Weights::Groups(groups),
                Scratch::Numbers {
                    patches,
                    sums,
                    active,
                },
            ) => {
                let rows = memory.numbers_of(&self.input).chunks_exact(padded(inputs));
                for (row, out) in rows.zip(outs) {
                    for (group, (weights, bias)) in groups.iter().enumerate() {
                        for y in 0..self.grid[0] {
                            copy_patches(self.conv, row, group, y, patches);
                            dispatch(
                                isa,
                                Product {
                                    weights,
                                    bias,
                                    rows: Rows::Numbers(patches),
                                    active,
                                    out: sums,
                                    stride: padded(self.conv.group_outputs()),
                                },
                            );
                            write_line(self.conv, self.grid, (group, y), sums, out);
                        }
                    }
                }
            }
            _ => unreachable!("the memory was made for these weights"),
        }
        memory.convolutions = convolutions;
        memory.numbers[self.output.slot] = out;
    }
}

/// The weights of each group as a product reads them, and its bias.
fn groups(
    isa: Isa,
    conv: Convolution,
    weight: &[f32],
    bias: &[f32],
) -> Result<Vec<(Packed, Vec<f32>)>, Error> {
    let (outputs, taps) = (conv.group_outputs(), conv.taps());
    let of_groups = weight
        .chunks_exact(outputs * taps)
        .zip(bias.chunks_exact(outputs));
    of_groups
        .map(|(weight, bias)| {
            let matrix = Matrix::new("weight", weight, [outputs, taps], [taps, 1])?;
            let mut bias = bias.to_vec();
            bias.resize(padded(outputs), 0.0);
            Ok((
                Packed::new(isa, matrix.transposed(), tile_width(isa, outputs)),
                bias,
            ))
        })
        .collect()
}

/// The sums of a sample of spikes.
struct Sums<'a> {
    prepared: &'a Prepared,
    spikes: &'a [u64],
    taps: &'a mut Taps,
    scratch: [&'a mut [f32]; 2],
    out: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (prepared, scratch) = (self.prepared, self.scratch);
        prepared.sums(simd, self.spikes, self.taps, scratch, self.out);
    }
}
