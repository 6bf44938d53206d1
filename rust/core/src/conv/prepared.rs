//! A convolution laid out for many samples, and its sums.

use super::taps::Taps;
use super::{Convolution, Order, Orders, scatter};
use crate::Error;
use crate::matmul::gather::{add, add_selected, store_partial};
use crate::matmul::packed::Packed;
use crate::matmul::{ADDITIONS_PER_STEP, Matrix, WIDEST, tile_width};
use crate::parallel::progress;
use crate::simd::{Isa, Simd};
use alloc::vec::Vec;

/// A convolution whose weights are laid out for many samples.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) conv: Convolution,
    orders: Orders,
    /// Height and width of the output.
    pub(super) grid: [usize; 2],
    weights: Weights,
    bias: Option<Vec<f32>>,
    /// The bias of all pixels of a line.
    bias_of_line: Option<Vec<f32>>,
}

impl Prepared {
    /// The convolution of [`convolve`](super::convolve) with finite weights.
    ///
    /// # Errors
    /// Those of [`convolve`](super::convolve).
    pub(crate) fn new(
        isa: Isa,
        conv: Convolution,
        orders: Orders,
        weight: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self, Error> {
        let grid = conv.grid()?;
        Error::check_length("weight", weight.len(), &[conv.outputs, conv.taps()])?;
        if let Some(bias) = bias {
            Error::check_length("bias", bias.len(), &[conv.outputs])?;
        }
        Ok(Self {
            conv,
            orders,
            grid,
            weights: Weights::new(isa, conv, weight),
            bias: bias.map(<[f32]>::to_vec),
            bias_of_line: bias.map(|bias| bias.repeat(grid[1])),
        })
    }

    /// Memory to list the spikes of a sample in.
    pub(crate) fn taps(&self) -> Taps {
        Taps::new(self.conv, self.orders.spikes)
    }

    /// Lengths of the memory that sums need beside their own: of all pixels, and of a line.
    pub(crate) fn scratch(&self) -> [usize; 2] {
        let pixels = if self.as_maps() {
            self.grid[0] * self.grid[1] * self.conv.outputs
        } else {
            0
        };
        match &self.weights {
            Weights::Runs(runs) => [pixels, runs.line_length()],
            Weights::Tiles(_) => [pixels, 0],
        }
    }

    /// Whether sums, which arise pixel by pixel, are to lie map by map.
    fn as_maps(&self) -> bool {
        self.orders.sums == Order::ChannelsFirst && self.conv.outputs > 1
    }

    /// The sums of a sample.
    #[inline(always)]
    pub(crate) fn sums<S: Simd>(
        &self,
        simd: S,
        words: &[u64],
        taps: &mut Taps,
        [kept, line]: [&mut [f32]; 2],
        out: &mut [f32],
    ) {
        let [height, width] = self.grid;
        let (pixels, outputs) = (height * width, self.conv.outputs);
        taps.list(words);
        let sums = if self.as_maps() {
            &mut *kept
        } else {
            &mut *out
        };
        match &self.weights {
            Weights::Runs(runs) => {
                sums.fill(0.0);
                for group in 0..self.conv.groups {
                    runs.add(simd, taps, group, width, line, sums);
                }
                if let Some(bias) = &self.bias_of_line {
                    add_to_lines(bias, sums);
                }
            }
            Weights::Tiles(groups) => {
                for (group, packed) in groups.iter().enumerate() {
                    let bias = self.bias.as_deref();
                    add_tiles(simd, taps, (group, packed), bias, width, sums);
                }
            }
        }
        if self.as_maps() {
            let maps = Matrix::new("sums", kept, [outputs, pixels], [1, outputs]);
            let maps = maps.expect("the sums of a sample have this shape");
            maps.pack(simd, 0..outputs, 0..pixels, pixels, out);
        }
    }
}

/// The weights of each group as a kernel reads them.
#[derive(Debug)]
enum Weights {
    /// Tiles of outputs, a row for each tap.
    Tiles(Vec<Packed>),
    /// Runs of taps and outputs, one for each line of the kernel and channel.
    Runs(scatter::Runs),
}

impl Weights {
    fn new(isa: Isa, conv: Convolution, weight: &[f32]) -> Self {
        if conv.is_scattered() {
            return Self::Runs(scatter::Runs::new(isa, conv, weight));
        }
        let taps = conv.taps();
        let shape = [conv.group_outputs(), taps];
        let pack = |weight| {
            let matrix = Matrix::new("weight", weight, shape, [taps, 1]);
            let matrix = matrix.expect("the weights of a group have this shape");
            Packed::new(isa, matrix.transposed(), tile_width(isa, shape[0]))
        };
        let group = (shape[0] * taps).max(1);
        Self::Tiles(weight.chunks_exact(group).map(pack).collect())
    }
}

/// Adds the bias to each line of sums.
#[inline(always)]
fn add_to_lines(bias: &[f32], sums: &mut [f32]) {
    for line in sums.chunks_exact_mut(bias.len()) {
        for (sum, bias) in line.iter_mut().zip(bias) {
            *sum += bias;
        }
    }
}

/// The sums of a group's pixels, `[height, width, outputs]`, tile by tile of its outputs.
#[inline(always)]
fn add_tiles<S: Simd>(
    simd: S,
    taps: &mut Taps,
    (group, packed): (usize, &Packed),
    bias: Option<&[f32]>,
    width: usize,
    sums: &mut [f32],
) {
    let outputs = taps.conv().group_outputs();
    for (column, weights) in packed.tiles() {
        let first = group * outputs + column;
        let columns = packed.width().min(outputs - column);
        let tile = Tile {
            weights,
            bias: bias.map(|bias| &bias[first..][..columns]),
            first,
            columns,
            group,
        };
        match packed.width() / S::LANES {
            1 => tile.sum::<S, 1>(simd, taps, width, sums),
            2 => tile.sum::<S, 2>(simd, taps, width, sums),
            4 => tile.sum::<S, 4>(simd, taps, width, sums),
            8 => tile.sum::<S, 8>(simd, taps, width, sums),
            vectors => unreachable!("no tile is {vectors} vectors wide"),
        }
    }
}

/// Some outputs of a group.
struct Tile<'a> {
    /// A row for each tap.
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    /// The first output.
    first: usize,
    columns: usize,
    group: usize,
}

impl Tile<'_> {
    /// The sums of all pixels of a sample, in `V` vectors each.
    #[inline(always)]
    fn sum<S: Simd, const V: usize>(
        &self,
        simd: S,
        taps: &mut Taps,
        width: usize,
        out: &mut [f32],
    ) {
        let outputs = taps.conv().outputs;
        let mut bias = [0.0; WIDEST];
        if let Some(given) = self.bias {
            bias[..self.columns].copy_from_slice(given);
        }
        for (y, line) in out.chunks_exact_mut(width * outputs).enumerate() {
            let mut additions = 0;
            for (x, out) in line.chunks_exact_mut(outputs).enumerate() {
                let selected = taps.of(self.group, y, x);
                additions += selected.len();
                let mut sum = [simd.splat(0.0); V];
                add_selected(simd, &mut sum, self.weights, selected);
                add(simd, &mut sum, &bias[..V * S::LANES]);
                store_partial(simd, &mut out[self.first..][..self.columns], sum);
            }
            progress((additions + width) * V * S::LANES / ADDITIONS_PER_STEP);
        }
    }
}
