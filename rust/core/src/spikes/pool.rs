//! Pooling of feature maps: the maximum of bits is their OR, their sum a popcount.

use super::compiled_for;
use super::layout::{self, WORD_BITS, rows_per_block};
use super::regroup::bits_at;
use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::Isa;

/// Lines of windows between two places where a call can be interrupted.
const LINES: usize = 64;

/// Windows on the feature maps `[planes, height, width]` of a row of neurons, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Feature maps per row.
    pub planes: usize,
    /// Their height.
    pub height: usize,
    /// Their width.
    pub width: usize,
    /// Height and width of a window; it is at most as large as a map, and 64 wide.
    pub window: [usize; 2],
    /// How far windows lie apart, vertically and horizontally.
    pub stride: [usize; 2],
}

impl Pool {
    /// Height and width of the pooled maps.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the window does not fit a map or a word, or a stride is 0;
    /// [`Error::Overflow`] if the sizes multiply to more than fits in memory.
    ///
    /// ```
    /// use bitspike::spikes::Pool;
    /// let pool = Pool { planes: 1, height: 5, width: 8, window: [2, 3], stride: [2, 1] };
    /// assert_eq!(pool.pooled()?, [2, 6]);
    /// # Ok::<(), bitspike::Error>(())
    /// ```
    pub fn pooled(&self) -> Result<[usize; 2], Error> {
        Error::checked_product("spikes", &[self.planes, self.height, self.width])?;
        let [window_height, window_width] = self.window;
        in_range("the window's height, less 1,", window_height, self.height)?;
        let widest = self.width.min(WORD_BITS);
        in_range("the window's width, less 1,", window_width, widest)?;
        in_range("the vertical stride, less 1,", self.stride[0], usize::MAX)?;
        in_range("the horizontal stride, less 1,", self.stride[1], usize::MAX)?;
        Ok([
            (self.height - window_height) / self.stride[0] + 1,
            (self.width - window_width) / self.stride[1] + 1,
        ])
    }

    fn neurons(&self) -> usize {
        self.planes * self.height * self.width
    }

    /// Calls `visit` for all windows of a row of neurons, in the order of the pooled neurons.
    #[inline(always)]
    fn for_each_segment(&self, pooled: [usize; 2], mut visit: impl FnMut(Segment)) {
        let [window_width, stride] = [self.window[1], self.stride[1]];
        let most = (WORD_BITS - window_width) / stride + 1;
        for plane in 0..self.planes {
            for y in 0..pooled[0] {
                let line = (plane * self.height + y * self.stride[0]) * self.width;
                let first = (plane * pooled[0] + y) * pooled[1];
                if y % LINES == LINES - 1 {
                    progress(LINES * pooled[1] * self.window[0]);
                }
                for x in (0..pooled[1]).step_by(most) {
                    visit(Segment {
                        first: first + x,
                        windows: most.min(pooled[1] - x),
                        corner: line + x * stride,
                    });
                }
            }
        }
    }

    /// The bits of a window's line that has been shifted to the lowest.
    #[inline(always)]
    fn mask(&self) -> u64 {
        u64::MAX >> (WORD_BITS - self.window[1])
    }
}

/// Neighbouring windows whose lines lie in one word each.
#[derive(Clone, Copy)]
struct Segment {
    /// The pooled neuron of the first.
    first: usize,
    /// How many there are.
    windows: usize,
    /// The neuron at the upper left corner of the first.
    corner: usize,
}

fn in_range(what: &'static str, size: usize, limit: usize) -> Result<(), Error> {
    if (1..=limit).contains(&size) {
        return Ok(());
    }
    Err(Error::OutOfRange {
        what,
        found: i64::try_from(size).map_or(i64::MAX, |size| size - 1),
        limit,
    })
}

/// The maximum of each window: a spike if any of its neurons fires.
///
/// # Errors
/// Those of [`Pool::pooled`]; [`Error::Length`] if `words` is not `rows` rows of the maps' neurons,
/// or `maxima` not `rows` rows of the pooled ones.
///
/// ```
/// use bitspike::{simd::Isa, spikes::{Pool, max_pool}};
/// let pool = Pool { planes: 1, height: 2, width: 4, window: [2, 2], stride: [2, 2] };
/// let mut maxima = [0];
/// max_pool(Isa::active()?, &[0b1000_0000], 1, pool, &mut maxima)?;
/// assert_eq!(maxima, [0b10]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn max_pool(
    isa: Isa,
    words: &[u64],
    rows: usize,
    pool: Pool,
    maxima: &mut [u64],
) -> Result<(), Error> {
    let pooled = pool.pooled()?;
    let neurons = pool.neurons();
    layout::check(words, rows, neurons)?;
    let outputs = Error::checked_product("maxima", &[pool.planes, pooled[0], pooled[1]])?;
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
                    max_row(row, pool, pooled, maxima);
                }
            },
        );
    });
    Ok(())
}

#[inline(always)]
fn max_row(row: &[u64], pool: Pool, pooled: [usize; 2], maxima: &mut [u64]) {
    maxima.fill(0);
    let mask = pool.mask();
    pool.for_each_segment(pooled, |segment| {
        let mut any = 0;
        for dy in 0..pool.window[0] {
            any |= bits_at(row, segment.corner + dy * pool.width);
        }
        for i in 0..segment.windows {
            let n = segment.first + i;
            let fires = any >> (i * pool.stride[1]) & mask != 0;
            maxima[n / WORD_BITS] |= u64::from(fires) << (n % WORD_BITS);
        }
    });
}

/// How many neurons of each window fire: `sums` is `[rows, planes, pooled height, pooled width]`.
///
/// # Errors
/// As [`max_pool`].
pub fn sum_pool(
    isa: Isa,
    words: &[u64],
    rows: usize,
    pool: Pool,
    sums: &mut [f32],
) -> Result<(), Error> {
    let pooled = pool.pooled()?;
    let neurons = pool.neurons();
    layout::check(words, rows, neurons)?;
    let outputs = Error::checked_product("sums", &[pool.planes, pooled[0], pooled[1]])?;
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
        compiled_for(
            isa,
            #[inline(always)]
            || {
                let sums = sums.chunks_exact_mut(outputs);
                for (row, sums) in words.chunks_exact(row_len).zip(sums) {
                    sum_row(row, pool, pooled, sums);
                }
            },
        );
    });
    Ok(())
}

#[inline(always)]
fn sum_row(row: &[u64], pool: Pool, pooled: [usize; 2], sums: &mut [f32]) {
    sums.fill(0.0);
    let mask = pool.mask();
    pool.for_each_segment(pooled, |segment| {
        let sums = &mut sums[segment.first..segment.first + segment.windows];
        for dy in 0..pool.window[0] {
            let line = bits_at(row, segment.corner + dy * pool.width);
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += (line >> (i * pool.stride[1]) & mask).count_ones() as f32;
            }
        }
    });
}

/// Sends the gradient of [`max_pool`] back: that of a window goes to its first spike, or to its
/// first neuron if none fires, and is added up in the order of the windows.
///
/// `grad` is `[rows, planes, pooled height, pooled width]`, `to_spikes` `[rows, planes, height,
/// width]`.
///
/// # Errors
/// Those of [`Pool::pooled`]; [`Error::Length`] if a buffer has another length.
pub fn max_pool_gradient(
    isa: Isa,
    words: &[u64],
    rows: usize,
    pool: Pool,
    grad: &[f32],
    to_spikes: &mut [f32],
) -> Result<(), Error> {
    let pooled = pool.pooled()?;
    let neurons = pool.neurons();
    layout::check(words, rows, neurons)?;
    let outputs = Error::checked_product("grad", &[pool.planes, pooled[0], pooled[1]])?;
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
        compiled_for(
            isa,
            #[inline(always)]
            || {
                let rows = words
                    .chunks_exact(row_len)
                    .zip(grad.chunks_exact(outputs))
                    .zip(to_spikes.chunks_exact_mut(neurons));
                for ((row, grad), to_spikes) in rows {
                    max_row_gradient(row, pool, pooled, grad, to_spikes);
                }
            },
        );
    });
    Ok(())
}

#[inline(always)]
fn max_row_gradient(
    row: &[u64],
    pool: Pool,
    pooled: [usize; 2],
    grad: &[f32],
    to_spikes: &mut [f32],
) {
    to_spikes.fill(0.0);
    let mask = pool.mask();
    pool.for_each_segment(pooled, |segment| {
        for i in 0..segment.windows {
            let shift = i * pool.stride[1];
            let corner = segment.corner + shift;
            let mut winner = corner;
            for dy in 0..pool.window[0] {
                let below = dy * pool.width;
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
