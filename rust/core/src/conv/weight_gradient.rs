//! The gradients of a convolution's weight and bias.

use super::taps::Taps;
use super::{Convolution, Order, Orders, scatter};
use crate::Error;
use crate::matmul::{ADDITIONS_PER_STEP, Matrix, tile_width};
use crate::parallel::{self, Scratch, progress};
use crate::simd::{Isa, Kernel, Simd, array, dispatch};
use crate::spikes::{self, layout};
use crate::tiling::cut;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Into how many parts samples are divided, whose gradients are summed by themselves and then
/// together: the same for any number of threads.
const PARTS: usize = 8;

/// `out[o][tap] = Σ grad[r][y][x][o]` over the outputs whose tap meets a spike, in the shape of the
/// weight of [`convolve`](super::convolve), and `bias[o]`, the sum of all gradients of an output. `grad`
/// is `[rows, outputs, height, width]` or, its channels last, `[rows, height, width, outputs]`.
///
/// Samples are taken in 8 parts; in each, and over the parts, sums are in ascending order.
///
/// Returns whether the gradients' sums are finite. If not, some gradient may be infinite or NaN, which
/// counts for silent inputs as well, as in a dense product, but not here: `out` is of no use then.
///
/// # Errors
/// As [`convolve`](super::convolve).
///
/// ```
/// use bitspike::conv::{Convolution, Order, Orders, weight_gradient};
/// use bitspike::simd::Isa;
///
/// let conv = Convolution {
///     channels: 1, size: [1, 5], outputs: 1, groups: 1, kernel: [1, 3],
///     stride: [1, 1], padding: [0, 1], dilation: [1, 1],
/// };
/// let orders = Orders { spikes: Order::ChannelsFirst, sums: Order::ChannelsFirst };
/// let (grad, mut out, mut bias) = ([1.0, 2.0, 4.0, 8.0, 16.0], [0.0; 3], [0.0]);
/// let isa = Isa::active()?;
/// assert!(weight_gradient(isa, &[0b01001], 1, conv, orders, &grad, &mut out, &mut bias)?);
/// assert_eq!((out, bias), ([18.0, 9.0, 4.0], [31.0]));
/// # Ok::<(), bitspike::Error>(())
/// ```
#[allow(
    clippy::too_many_arguments,
    reason = "what runs, what it reads, what it writes"
)]
pub fn weight_gradient(
    isa: Isa,
    words: &[u64],
    rows: usize,
    conv: Convolution,
    orders: Orders,
    grad: &[f32],
    out: &mut [f32],
    bias: &mut [f32],
) -> Result<bool, Error> {
    let [height, width] = conv.grid()?;
    layout::check_padded(words, rows, conv.neurons())?;
    Error::check_length("grad", grad.len(), &[rows, height, width, conv.outputs])?;
    Error::check_length("out", out.len(), &[conv.outputs, conv.taps()])?;
    Error::check_length("bias", bias.len(), &[conv.outputs])?;
    out.fill(0.0);
    bias.fill(0.0);
    if rows == 0 || conv.outputs == 0 {
        return Ok(true);
    }
    let row_len = layout::words(conv.neurons());
    let work = conv.work(spikes::count(isa, words), rows, [height, width]);
    let parts: Vec<_> = cut(0..rows, rows.div_ceil(PARTS)).collect();
    let mut sums: Vec<_> = parts.iter().map(|_| Sums::new(isa, conv)).collect();
    let row_grad = height * width * conv.outputs;
    let items = parts
        .iter()
        .zip(&mut sums)
        .map(|(part, sums)| Part {
            conv,
            orders,
            width,
            words: &words[part.start * row_len..part.end * row_len],
            row_len,
            rows: part.len(),
            grad: &grad[part.start * row_grad..part.end * row_grad],
            sums,
        })
        .collect();
    parallel::for_each(items, work, |item| dispatch(isa, item));
    for sums in sums {
        sums.add_to(conv, out, bias);
    }
    Ok(bias.iter().all(|sum| sum.is_finite()))
}

/// The gradients that some samples give.
struct Sums {
    weights: OfWeights,
    /// Of the bias.
    outputs: Vec<f32>,
}

enum OfWeights {
    /// `[groups, tiles of outputs, taps, width of a tile]`
    Tiles {
        width: usize,
        sums: Vec<f32>,
    },
    Runs(scatter::Runs),
}

impl Sums {
    fn new(isa: Isa, conv: Convolution) -> Self {
        let weights = if conv.is_scattered() {
            OfWeights::Runs(scatter::Runs::zeros(isa, conv))
        } else {
            let width = tile_width(isa, conv.group_outputs());
            let tiles = conv.groups * conv.group_outputs().div_ceil(width);
            let sums = vec![0.0; tiles * conv.taps() * width];
            OfWeights::Tiles { width, sums }
        };
        Self {
            weights,
            outputs: vec![0.0; conv.outputs],
        }
    }

    fn add_to(self, conv: Convolution, out: &mut [f32], bias: &mut [f32]) {
        for (bias, sum) in bias.iter_mut().zip(self.outputs) {
            *bias += sum;
        }
        match self.weights {
            OfWeights::Runs(mut runs) => runs.exchange(|sum, i| out[i] += *sum),
            OfWeights::Tiles { width, sums } => {
                let (taps, outputs) = (conv.taps(), conv.group_outputs());
                let columns = (0..conv.groups).flat_map(|group| {
                    cut(0..outputs, width)
                        .map(move |columns| (group * outputs + columns.start, columns.len()))
                });
                for ((first, columns), tile) in
                    columns.zip(sums.chunks_exact((taps * width).max(1)))
                {
                    for (tap, sums) in tile.chunks_exact(width).enumerate() {
                        for (column, sum) in sums[..columns].iter().enumerate() {
                            out[(first + column) * taps + tap] += sum;
                        }
                    }
                }
            }
        }
        progress(out.len());
    }
}

/// Some samples and where their gradients go.
struct Part<'a> {
    conv: Convolution,
    orders: Orders,
    /// Of a line of outputs.
    width: usize,
    words: &'a [u64],
    /// Words of a sample.
    row_len: usize,
    rows: usize,
    grad: &'a [f32],
    sums: &'a mut Sums,
}

impl Kernel for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { conv, width, .. } = self;
        let mut taps = Taps::new(conv, self.orders.spikes);
        let line_length = match &self.sums.weights {
            OfWeights::Runs(runs) => runs.line_length(),
            OfWeights::Tiles { .. } => 0,
        };
        let (outputs, row_grad) = (conv.outputs, self.grad.len() / self.rows);
        let as_maps = self.orders.sums == Order::ChannelsFirst && outputs > 1;
        let kept = if as_maps { row_grad } else { 0 };
        let mut scratch = Scratch::take();
        let [kept, of_lines, padded] = scratch.slices([kept, width * outputs, line_length]);
        for row in 0..self.rows {
            taps.list(&self.words[row * self.row_len..][..self.row_len]);
            let mut grad = &self.grad[row * row_grad..][..row_grad];
            if as_maps {
                let pixels = row_grad / outputs;
                let matrix = Matrix::new("grad", grad, [pixels, outputs], [1, pixels]);
                let matrix = matrix.expect("the gradients of a sample have this shape");
                matrix.pack(simd, 0..pixels, 0..outputs, outputs, kept);
                grad = kept;
            }
            add_columns(grad, of_lines, &mut self.sums.outputs);
            for group in 0..conv.groups {
                match &mut self.sums.weights {
                    OfWeights::Runs(runs) => {
                        runs.add_gradients(simd, &taps, group, width, padded, grad)
                    }
                    OfWeights::Tiles { width: tile, sums } => {
                        let outputs = conv.group_outputs();
                        let size = conv.taps() * *tile;
                        let tiles = outputs.div_ceil(*tile);
                        for (i, columns) in cut(0..outputs, *tile).enumerate() {
                            let sums = &mut sums[(group * tiles + i) * size..][..size];
                            let first = group * outputs + columns.start;
                            let tile = Tile {
                                group,
                                columns: first..first + columns.len(),
                                width,
                                sums,
                            };
                            match tile.sums.len() / conv.taps().max(1) / S::LANES {
                                0 | 1 => tile.add::<S, 1>(simd, &mut taps, conv, grad),
                                2 => tile.add::<S, 2>(simd, &mut taps, conv, grad),
                                4 => tile.add::<S, 4>(simd, &mut taps, conv, grad),
                                8 => tile.add::<S, 8>(simd, &mut taps, conv, grad),
                                vectors => unreachable!("no tile is {vectors} vectors wide"),
                            }
                        }
                    }
                }
            }
        }
        scratch.put_back();
    }
}

/// Adds the gradients of a sample's pixels to those of the bias: first the lines of the map, then the
/// pixels of a line, which keeps rounding errors down. `of_lines` is memory for a line.
#[inline(always)]
fn add_columns(grad: &[f32], of_lines: &mut [f32], sums: &mut [f32]) {
    of_lines.fill(0.0);
    for line in grad.chunks_exact(of_lines.len()) {
        for (sum, x) in of_lines.iter_mut().zip(line) {
            *sum += x;
        }
    }
    for pixel in of_lines.chunks_exact(sums.len()) {
        for (sum, x) in sums.iter_mut().zip(pixel) {
            *sum += x;
        }
    }
}

/// The weights of some outputs.
struct Tile<'a> {
    group: usize,
    columns: Range<usize>,
    /// Of a line of outputs.
    width: usize,
    /// A row for each tap.
    sums: &'a mut [f32],
}

impl Tile<'_> {
    /// Adds the gradients of each pixel to the rows of the taps that met a spike, in `V` vectors each.
    #[inline(always)]
    fn add<S: Simd, const V: usize>(
        self,
        simd: S,
        taps: &mut Taps,
        conv: Convolution,
        grad: &[f32],
    ) {
        let row = V * S::LANES;
        for (y, line) in grad.chunks_exact(self.width * conv.outputs).enumerate() {
            let mut additions = 0;
            for (x, grad) in line.chunks_exact(conv.outputs).enumerate() {
                let grad = &grad[self.columns.clone()];
                let grad: [S::F32; V] = array(
                    #[inline(always)]
                    |v| match grad.get(v * S::LANES..) {
                        Some(rest) if rest.len() >= S::LANES => simd.load(rest),
                        Some(rest) => simd.load_partial(rest),
                        None => simd.splat(0.0),
                    },
                );
                let selected = taps.of(self.group, y, x);
                additions += selected.len();
                for &tap in selected {
                    let sums = &mut self.sums[tap as usize * row..][..row];
                    for (sums, &grad) in sums.chunks_exact_mut(S::LANES).zip(&grad) {
                        simd.store(sums, simd.add(simd.load(sums), grad));
                    }
                }
            }
            progress((additions + self.width) * row / ADDITIONS_PER_STEP);
        }
    }
}
