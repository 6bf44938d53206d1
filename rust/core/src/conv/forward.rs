//! The sums of a convolution: rows of weights that the spikes select.

use super::taps::Taps;
use super::{Convolution, Order, scatter};
use crate::Error;
use crate::matmul::gather::{add, add_selected, store_partial};
use crate::matmul::packed::Packed;
use crate::matmul::{ADDITIONS_PER_STEP, ITEMS_PER_THREAD, Matrix, WIDEST, tile_width};
use crate::parallel::{self, Scratch, progress};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use crate::spikes::{self, layout};

/// `out = spikes ∗ weight + bias` for `rows` rows of feature maps, `weight` being `[outputs, height,
/// width, channels of a group]`, and `out` `[rows, height, width, outputs]`.
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
/// use bitspike::conv::{Convolution, Order, convolve};
/// use bitspike::simd::Isa;
///
/// let conv = Convolution {
///     channels: 1, size: [1, 5], outputs: 1, groups: 1, kernel: [1, 3],
///     stride: [1, 1], padding: [0, 1], dilation: [1, 1],
/// };
/// let mut out = [0.0; 5];
/// convolve(Isa::active()?, &[0b01001], 1, conv, Order::ChannelsFirst, &[1.0, 2.0, 4.0], None, &mut out)?;
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
    order: Order,
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
            order,
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
    order: Order,
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
        let mut taps = Taps::new(self.conv, self.order);
        let of_line = self.bias.map(|bias| bias.repeat(self.grid[1]));
        let mut scratch = Scratch::take();
        let Self {
            conv,
            grid: [height, width],
            weights,
            bias,
            words,
            row_len,
            out,
            ..
        } = self;
        for (i, out) in out
            .chunks_exact_mut(height * width * conv.outputs)
            .enumerate()
        {
            taps.list(&words[i * row_len..][..row_len]);
            if let Weights::Runs(_) = weights {
                out.fill(0.0);
            }
            for group in 0..conv.groups {
                let first = group * conv.group_outputs();
                let bias = bias.map(|bias| &bias[first..][..conv.group_outputs()]);
                match weights {
                    Weights::Runs(runs) => {
                        runs.add(simd, &taps, group, width, &mut scratch, out);
                    }
                    Weights::Tiles(groups) => {
                        for (column, tile) in groups[group].tiles() {
                            let columns = groups[group].width().min(conv.group_outputs() - column);
                            let tile = Tile {
                                weights: tile,
                                bias: bias.map(|bias| &bias[column..][..columns]),
                                first: first + column,
                                columns,
                                group,
                            };
                            match groups[group].width() / S::LANES {
                                1 => tile.sum::<S, 1>(simd, &mut taps, conv, width, out),
                                2 => tile.sum::<S, 2>(simd, &mut taps, conv, width, out),
                                4 => tile.sum::<S, 4>(simd, &mut taps, conv, width, out),
                                8 => tile.sum::<S, 8>(simd, &mut taps, conv, width, out),
                                vectors => unreachable!("no tile is {vectors} vectors wide"),
                            }
                        }
                    }
                }
            }
            if let (Weights::Runs(_), Some(bias)) = (weights, &of_line) {
                for line in out.chunks_exact_mut(bias.len()) {
                    line.iter_mut().zip(bias).for_each(
                        #[inline(always)]
                        |(out, bias)| *out += bias,
                    );
                }
            }
        }
        scratch.put_back();
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
        conv: Convolution,
        width: usize,
        out: &mut [f32],
    ) {
        let mut bias = [0.0; WIDEST];
        if let Some(given) = self.bias {
            bias[..self.columns].copy_from_slice(given);
        }
        for (y, line) in out.chunks_exact_mut(width * conv.outputs).enumerate() {
            let mut additions = 0;
            for (x, out) in line.chunks_exact_mut(conv.outputs).enumerate() {
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
