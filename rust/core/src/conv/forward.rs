//! The sums of a convolution: rows of weights that the spikes select.

use super::taps::Taps;
use super::{Convolution, Order, Orders, scatter};
use crate::Error;
use crate::matmul::gather::{add, add_selected, store_partial};
use crate::matmul::packed::Packed;
use crate::matmul::{ADDITIONS_PER_STEP, ITEMS_PER_THREAD, Matrix, WIDEST, tile_width};
use crate::parallel::{self, Scratch, progress};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::{self, layout};

/// `out = spikes ∗ weight + bias` for `rows` rows of feature maps, `weight` being `[outputs, height,
/// width, channels of a group]`, and `out` `[rows, outputs, height, width]` or, its channels last,
/// `[rows, height, width, outputs]`.
///
/// Every sum starts from 0, adds in ascending order of the weights, and adds the bias last: its bits
/// are those of plain loops. All weights must be finite ([`prefers_dense`](super::prefers_dense)
/// says where they are not): those of silent inputs are not looked at.
///
/// # Errors
/// Those of [`Convolution::grid`]; [`Error::Length`] if a buffer has another length,
/// [`Error::Padding`] if spikes have padding bits set.
///
/// ```
/// use bitspike::conv::{Convolution, Order, Orders, convolve};
/// use bitspike::simd::Isa;
///
/// let conv = Convolution {
///     channels: 1, size: [1, 5], outputs: 1, groups: 1, kernel: [1, 3],
///     stride: [1, 1], padding: [0, 1], dilation: [1, 1],
/// };
/// let orders = Orders { spikes: Order::ChannelsFirst, sums: Order::ChannelsFirst };
/// let mut out = [0.0; 5];
/// convolve(Isa::active()?, &[0b01001], 1, conv, orders, &[1.0, 2.0, 4.0], None, &mut out)?;
/// assert_eq!(out, [2.0, 1.0, 4.0, 2.0, 1.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
#[allow(
    clippy::too_many_arguments,
    reason = "what runs, what it reads, what it writes"
)]
pub fn convolve(
    isa: Isa,
    words: &[u64],
    rows: usize,
    conv: Convolution,
    orders: Orders,
    weight: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
) -> Result<(), Error> {
    let [height, width] = conv.grid()?;
    layout::check_padded(words, rows, conv.neurons())?;
    Error::check_length("weight", weight.len(), &[conv.outputs, conv.taps()])?;
    Error::check_length("out", out.len(), &[rows, height, width, conv.outputs])?;
    if let Some(bias) = bias {
        Error::check_length("bias", bias.len(), &[conv.outputs])?;
    }
    if out.is_empty() {
        return Ok(());
    }
    let row_len = layout::words(conv.neurons());
    let weights = Weights::new(isa, conv, weight);
    let work = conv.work(spikes::count(isa, words), rows, [height, width]);
    let per_item = rows.div_ceil(ITEMS_PER_THREAD * parallel::threads()).max(1);
    let row_out = height * width * conv.outputs;
    let items = out
        .chunks_mut(per_item * row_out)
        .enumerate()
        .map(|(i, out)| Sums {
            conv,
            orders,
            grid: [height, width],
            weights: &weights,
            bias,
            words: &words[i * per_item * row_len..][..out.len() / row_out * row_len],
            row_len,
            out,
        })
        .collect();
    parallel::for_each(items, work, |item| dispatch(isa, item));
    Ok(())
}

/// The weights of each group as a kernel reads them.
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
            Packed::new(matrix.transposed(), tile_width(isa, shape[0]))
        };
        let group = (shape[0] * taps).max(1);
        Self::Tiles(weight.chunks_exact(group).map(pack).collect())
    }
}

/// The outputs of some samples.
struct Sums<'a> {
    conv: Convolution,
    orders: Orders,
    /// Height and width of the output.
    grid: [usize; 2],
    weights: &'a Weights,
    bias: Option<&'a [f32]>,
    words: &'a [u64],
    /// Words of a sample.
    row_len: usize,
    out: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            conv,
            grid: [height, width],
            weights,
            row_len,
            ..
        } = self;
        let mut taps = Taps::new(conv, self.orders.spikes);
        let of_line = self.bias.map(|bias| bias.repeat(width));
        let (pixels, outputs) = (height * width, conv.outputs);
        let line_length = match weights {
            Weights::Runs(runs) => runs.line_length(),
            Weights::Tiles(_) => 0,
        };
        let as_maps = self.orders.sums == Order::ChannelsFirst && outputs > 1;
        let kept = if as_maps { pixels * outputs } else { 0 };
        let mut scratch = Scratch::take();
        let [kept, line] = scratch.slices([kept, line_length]);
        for (i, out) in self.out.chunks_exact_mut(pixels * outputs).enumerate() {
            taps.list(&self.words[i * row_len..][..row_len]);
            let sums = if as_maps { &mut *kept } else { &mut *out };
            match weights {
                Weights::Runs(runs) => {
                    sums.fill(0.0);
                    for group in 0..conv.groups {
                        runs.add(simd, &taps, group, width, line, sums);
                    }
                    if let Some(bias) = &of_line {
                        add_to_lines(bias, sums);
                    }
                }
                Weights::Tiles(groups) => {
                    for (group, packed) in groups.iter().enumerate() {
                        add_tiles(simd, &mut taps, (group, packed), self.bias, width, sums);
                    }
                }
            }
            if as_maps {
                let maps = Matrix::new("sums", kept, [outputs, pixels], [1, outputs]);
                let maps = maps.expect("the sums of a sample have this shape");
                maps.pack(0..outputs, 0..pixels, pixels, out);
            }
        }
        scratch.put_back();
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
