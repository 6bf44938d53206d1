//! The sums of a convolution for a batch.

use super::prepared::Prepared;
use super::{Convolution, Orders};
use crate::Error;
use crate::matmul::ITEMS_PER_THREAD;
use crate::parallel::{self, Scratch};
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
    let prepared = Prepared::new(isa, conv, orders, weight, bias)?;
    let work = conv.work(spikes::count(isa, words), rows, [height, width]);
    let per_item = rows.div_ceil(ITEMS_PER_THREAD * parallel::threads()).max(1);
    let row_out = height * width * conv.outputs;
    let items = out
        .chunks_mut(per_item * row_out)
        .enumerate()
        .map(|(i, out)| Sums {
            convolution: &prepared,
            words: &words[i * per_item * row_len..][..out.len() / row_out * row_len],
            row_len,
            out,
        })
        .collect();
    parallel::for_each(items, work, |item| dispatch(isa, item));
    Ok(())
}

/// The outputs of some samples.
struct Sums<'a> {
    convolution: &'a Prepared,
    words: &'a [u64],
    /// Words of a sample.
    row_len: usize,
    out: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let convolution = self.convolution;
        let mut taps = convolution.taps();
        let [height, width] = convolution.grid;
        let mut scratch = Scratch::take();
        let [kept, line] = scratch.slices(convolution.scratch());
        let samples = self.words.chunks_exact(self.row_len);
        let outs = self
            .out
            .chunks_exact_mut(height * width * convolution.conv.outputs);
        for (words, out) in samples.zip(outs) {
            convolution.sums(simd, words, &mut taps, [kept, line], out);
        }
        scratch.put_back();
    }
}
