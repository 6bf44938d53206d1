//! A convolution laid out for many samples, and its sums.

use super::taps::Taps;
use super::{Convolution, Order, Orders, scatter};
use crate::Error;
use crate::matmul::gather::{add, add_selected, store_partial};
use crate::matmul::packed::Packed;
use crate::matmul::{ADDITIONS_PER_STEP, Matrix, WIDEST, tile_width};
use crate::parallel::progress;
use crate::simd::{Isa, Simd};
use alloc::vec;
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
        let taps = Taps::new(self.conv, self.orders.spikes);
        match &self.weights {
            Weights::Tiles { by_two: true, .. } => taps.with_margin(),
            _ => taps,
        }
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
            Weights::Tiles { .. } => [pixels, 0],
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
            Weights::Tiles { groups, by_two } => {
                for (group, packed) in groups.iter().enumerate() {
                    let bias = self.bias.as_deref();
                    add_tiles(simd, taps, (group, packed), (bias, *by_two), width, sums);
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
    Tiles {
        groups: Vec<Packed>,
        /// Whether two pixels are summed at a time, for which lines of taps have a margin.
        by_two: bool,
    },
    /// Runs of taps and outputs, one for each line of the kernel and channel.
    Runs(scatter::Runs),
}

impl Weights {
    fn new(isa: Isa, conv: Convolution, weight: &[f32]) -> Self {
        if conv.is_scattered() {
            return Self::Runs(scatter::Runs::new(isa, conv, weight));
        }
        let (taps, outputs) = (conv.taps(), conv.group_outputs());
        let width = tile_width(isa, outputs);
        let by_two = conv.meets_neighbours() && width <= by_two(isa) * isa.lanes();
        let pack = |weight: &[f32]| {
            let margin = if by_two { conv.group_channels() } else { 0 };
            let line = conv.kernel[1] * conv.group_channels();
            let rows = conv.kernel[0] * (line + 2 * margin);
            let mut padded = vec![0.0; outputs * rows];
            let lines = padded.chunks_exact_mut(line + 2 * margin);
            for (to, from) in lines.zip(weight.chunks_exact(line)) {
                to[margin..margin + line].copy_from_slice(from);
            }
            let matrix = Matrix::new("weight", &padded, [outputs, rows], [rows, 1]);
            let matrix = matrix.expect("the weights of a group have this shape");
            Packed::new(isa, matrix.transposed(), width)
        };
        let group = (outputs * taps).max(1);
        Self::Tiles {
            groups: weight.chunks_exact(group).map(pack).collect(),
            by_two,
        }
    }
}

/// Vectors of the widest tile of which two pixels are summed at a time: twice as many sums are to stay in
/// registers.
fn by_two(isa: Isa) -> usize {
    match isa {
        Isa::Scalar => 2,
        Isa::Avx2 | Isa::Avx512 => BY_TWO,
    }
}

const BY_TWO: usize = 4;

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
    (bias, by_two): (Option<&[f32]>, bool),
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
            by_two,
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
    by_two: bool,
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
            // What is too wide is not compiled.
            let by_two = V <= BY_TWO && self.by_two;
            let two = if by_two { width - width % 2 } else { 0 };
            let (pairs, others) = line.split_at_mut(two * outputs);
            for (x, out) in (0..).step_by(2).zip(pairs.chunks_exact_mut(2 * outputs)) {
                let behind = taps.conv().group_channels() * V * S::LANES;
                let selected = taps.of_two(self.group, y, x);
                additions += 2 * selected.len();
                let sums = two_sums::<S, V>(simd, self.weights, selected, behind);
                for (mut sum, out) in sums.into_iter().zip(out.chunks_exact_mut(outputs)) {
                    add(simd, &mut sum, &bias[..V * S::LANES]);
                    store_partial(simd, &mut out[self.first..][..self.columns], sum);
                }
            }
            for (x, out) in (two..).zip(others.chunks_exact_mut(outputs)) {
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

/// The sums of two neighbouring pixels: the second adds the rows that are selected, the first those that
/// lie so many numbers behind them.
#[inline(always)]
fn two_sums<S: Simd, const V: usize>(
    simd: S,
    weights: &[f32],
    selected: &[u32],
    behind: usize,
) -> [[S::F32; V]; 2] {
    let width = V * S::LANES;
    let mut sums = [[simd.splat(0.0); V]; 2];
    for &row in selected {
        let rows = &weights[row as usize * width..];
        add(simd, &mut sums[0], &rows[behind..][..width]);
        add(simd, &mut sums[1], &rows[..width]);
    }
    sums
}
