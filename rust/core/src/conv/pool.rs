//! Pooling: the maximum of bits is their OR, their sum a popcount.

use super::pool_pixels::{self, MaxGradients, Sums};
use super::{Order, Windows};
use crate::Error;
use crate::parallel;
use crate::simd::{Isa, compiled_for, dispatch};
use crate::spikes::layout::{self, WORD_BITS, rows_per_block};
use crate::spikes::regroup::bits_at;
use core::ops::AddAssign;

/// The maximum of each window: a spike if any of its neurons fires. Maxima lie in the order of the
/// neurons.
///
/// # Errors
/// Those of [`Windows::grid`]; [`Error::Length`] if `words` is not `rows` rows of the maps' neurons,
/// or `maxima` not `rows` rows of the pooled ones.
///
/// ```
/// use bitspike::{conv::{Order, Windows, max_pool}, simd::Isa};
/// let windows = Windows { planes: 1, height: 2, width: 4, window: [2, 2], stride: [2, 2] };
/// let mut maxima = [0];
/// max_pool(Isa::active()?, &[0b1000_0000], 1, windows, Order::ChannelsFirst, &mut maxima)?;
/// assert_eq!(maxima, [0b10]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn max_pool(
    isa: Isa,
    words: &[u64],
    rows: usize,
    windows: Windows,
    order: Order,
    maxima: &mut [u64],
) -> Result<(), Error> {
    let grid = windows.grid()?;
    let neurons = windows.neurons();
    layout::check(words, rows, neurons)?;
    let outputs = Error::checked_product("maxima", &[windows.planes, grid[0], grid[1]])?;
    let (row_len, out_len) = (layout::words(neurons), layout::words(outputs));
    Error::check_length("maxima", maxima.len(), &[rows, out_len])?;
    if maxima.is_empty() {
        return Ok(());
    }
    let block = rows_per_block(neurons);
    let items = words
        .chunks(block * row_len)
        .zip(maxima.chunks_mut(block * out_len))
        .collect();
    parallel::for_each(items, rows * neurons, |(words, maxima)| {
        compiled_for(
            isa,
            #[inline(always)]
            || {
                let maxima = maxima.chunks_exact_mut(out_len);
                for (row, maxima) in words.chunks_exact(row_len).zip(maxima) {
                    match order {
                        Order::ChannelsFirst => max_row(row, windows, grid, maxima),
                        Order::ChannelsLast => pool_pixels::max_row(row, windows, grid, maxima),
                    }
                }
            },
        );
    });
    Ok(())
}

/// The maxima of a row, in the order of maps.
#[inline(always)]
pub(crate) fn max_row(row: &[u64], windows: Windows, grid: [usize; 2], maxima: &mut [u64]) {
    maxima.fill(0);
    let mask = windows.mask();
    windows.for_each_segment(grid, |segment| {
        let mut any = 0;
        for dy in 0..windows.window[0] {
            any |= bits_at(row, segment.corner + dy * windows.width);
        }
        for i in 0..segment.windows {
            let n = segment.first + i;
            let fires = any >> (i * windows.stride[1]) & mask != 0;
            maxima[n / WORD_BITS] |= u64::from(fires) << (n % WORD_BITS);
        }
    });
}

/// How many neurons of each window fire: `sums` is `[rows, planes, pooled height, pooled width]`, in the
/// order of the neurons.
///
/// # Errors
/// As [`max_pool`].
pub fn sum_pool(
    isa: Isa,
    words: &[u64],
    rows: usize,
    windows: Windows,
    order: Order,
    sums: &mut [f32],
) -> Result<(), Error> {
    let grid = windows.grid()?;
    let neurons = windows.neurons();
    layout::check(words, rows, neurons)?;
    let outputs = Error::checked_product("sums", &[windows.planes, grid[0], grid[1]])?;
    Error::check_length("sums", sums.len(), &[rows, outputs])?;
    if sums.is_empty() {
        return Ok(());
    }
    let row_len = layout::words(neurons);
    let block = rows_per_block(neurons);
    let items = words
        .chunks(block * row_len)
        .zip(sums.chunks_mut(block * outputs))
        .collect();
    parallel::for_each(items, rows * neurons, |(words, sums)| {
        if order == Order::ChannelsLast {
            return dispatch(
                isa,
                Sums {
                    words,
                    row_len,
                    windows,
                    grid,
                    sums,
                },
            );
        }
        compiled_for(
            isa,
            #[inline(always)]
            || {
                let sums = sums.chunks_exact_mut(outputs);
                for (row, sums) in words.chunks_exact(row_len).zip(sums) {
                    sum_row(row, windows, grid, sums, |count| count as f32);
                }
            },
        );
    });
    Ok(())
}

/// The sums of a row, in the order of maps, as the numbers that `number` makes of counts.
#[inline(always)]
pub(crate) fn sum_row<T: Copy + Default + AddAssign>(
    row: &[u64],
    windows: Windows,
    grid: [usize; 2],
    sums: &mut [T],
    number: impl Fn(u32) -> T,
) {
    sums.fill(T::default());
    let mask = windows.mask();
    windows.for_each_segment(grid, |segment| {
        let sums = &mut sums[segment.first..segment.first + segment.windows];
        for dy in 0..windows.window[0] {
            let line = bits_at(row, segment.corner + dy * windows.width);
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += number((line >> (i * windows.stride[1]) & mask).count_ones());
            }
        }
    });
}

/// Sends the gradient of [`max_pool`] back: that of a window goes to its first spike, or to its
/// first neuron if none fires, and is added up in the order of the windows.
///
/// `grad` is `[rows, planes, pooled height, pooled width]`, `to_spikes` `[rows, planes, height,
/// width]`, both in the order of the neurons.
///
/// # Errors
/// Those of [`Windows::grid`]; [`Error::Length`] if a buffer has another length.
#[allow(
    clippy::too_many_arguments,
    reason = "what runs, what it reads, what it writes"
)]
pub fn max_pool_gradient(
    isa: Isa,
    words: &[u64],
    rows: usize,
    windows: Windows,
    order: Order,
    grad: &[f32],
    to_spikes: &mut [f32],
) -> Result<(), Error> {
    let grid = windows.grid()?;
    let neurons = windows.neurons();
    layout::check(words, rows, neurons)?;
    let outputs = Error::checked_product("grad", &[windows.planes, grid[0], grid[1]])?;
    Error::check_length("grad", grad.len(), &[rows, outputs])?;
    Error::check_length("to_spikes", to_spikes.len(), &[rows, neurons])?;
    if to_spikes.is_empty() {
        return Ok(());
    }
    let row_len = layout::words(neurons);
    let block = rows_per_block(neurons);
    let items = words
        .chunks(block * row_len)
        .zip(grad.chunks(block * outputs))
        .zip(to_spikes.chunks_mut(block * neurons))
        .collect();
    parallel::for_each(items, rows * neurons, |((words, grad), to_spikes)| {
        if order == Order::ChannelsLast {
            return dispatch(
                isa,
                MaxGradients {
                    words,
                    row_len,
                    windows,
                    grid,
                    grad,
                    to_spikes,
                },
            );
        }
        compiled_for(
            isa,
            #[inline(always)]
            || {
                let rows = words
                    .chunks_exact(row_len)
                    .zip(grad.chunks_exact(outputs))
                    .zip(to_spikes.chunks_exact_mut(neurons));
                for ((row, grad), to_spikes) in rows {
                    max_row_gradient(row, windows, grid, grad, to_spikes);
                }
            },
        );
    });
    Ok(())
}

#[inline(always)]
fn max_row_gradient(
    row: &[u64],
    windows: Windows,
    grid: [usize; 2],
    grad: &[f32],
    to_spikes: &mut [f32],
) {
    to_spikes.fill(0.0);
    let mask = windows.mask();
    windows.for_each_segment(grid, |segment| {
        for i in 0..segment.windows {
            let shift = i * windows.stride[1];
            let corner = segment.corner + shift;
            let mut winner = corner;
            for dy in 0..windows.window[0] {
                let below = dy * windows.width;
                let bits = bits_at(row, segment.corner + below) >> shift & mask;
                if bits != 0 {
                    winner = corner + below + bits.trailing_zeros() as usize;
                    break;
                }
            }
            to_spikes[winner] += grad[segment.first + i];
        }
    });
}
