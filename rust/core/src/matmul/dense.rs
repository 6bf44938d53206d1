//! A product of dense numbers: what gradients meet where spikes went the other way.

use super::Matrix;
use super::packed::Packed;
use super::plan::ADDITIONS_PER_STEP;
use crate::Error;
use crate::parallel::{self, Scratch, progress};
use crate::simd::{Isa, Kernel, Simd, array, dispatch};

/// The width of tiles for [`product`] on vectors of so many lanes.
pub(crate) const fn width(lanes: usize) -> usize {
    // AVX-512 has twice as many registers as the others.
    if lanes == 16 { 4 * lanes } else { 2 * lanes }
}

/// Rows, `[R, K]` without gaps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) data: &'a [f32],
    /// `K`
    pub(crate) len: usize,
}

/// Rows of a product that one thread takes: whole groups of those that [`product`] takes at a time.
const ROWS: usize = 96;

/// The length of the rows that [`dense_product`] writes for so many columns: whole tiles.
pub(crate) fn dense_stride(isa: Isa, columns: usize) -> usize {
    columns.next_multiple_of(width(isa.lanes()))
}

/// The weights of a [`dense_product`].
pub(crate) fn dense_weights(isa: Isa, weights: Matrix<'_>) -> Packed {
    Packed::new(isa, weights, width(isa.lanes()))
}

/// [`product`] for rows without gaps, but for numbers that are all but 0, on all threads. Rows of `out` are
/// [`dense_stride`] long.
pub(crate) fn dense_product(isa: Isa, data: &[f32], weights: &Packed, out: &mut [f32]) {
    let len = weights.rows();
    if data.is_empty() || out.is_empty() {
        out.fill(0.0);
        return;
    }
    let stride = out.len() / (data.len() / len);
    let items = data.chunks(ROWS * len).zip(out.chunks_mut(ROWS * stride));
    let items = items.map(|(data, out)| {
        WithoutLeast(Product {
            rows: Rows { data, len },
            weights,
            out,
            stride,
        })
    });
    let work = data.len().saturating_mul(stride) / ADDITIONS_PER_STEP;
    parallel::for_each(items.collect(), work, |item| dispatch(isa, item));
}

/// `out = data × weights` in the calling thread: for products so small that waking others takes longer.
/// `weights` is `[K, N]`, `data` is `[R, K]` and `out` `[R, N]`.
///
/// # Errors
/// [`Error::Length`] or [`Error::Overflow`] if a length does not fit the shape of the weights.
///
/// ```
/// use bitspike::matmul::{Matrix, small_dense_product};
/// use bitspike::simd::Isa;
///
/// let weights = Matrix::new("weights", &[1.0, 2.0, 10.0, 20.0], [2, 2], [2, 1])?;
/// let mut out = [0.0; 2];
/// small_dense_product(Isa::active()?, &[0.5, -1.0], 1, weights, &mut out)?;
/// assert_eq!(out, [-9.5, -19.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn small_dense_product(
    isa: Isa,
    data: &[f32],
    rows: usize,
    weights: Matrix<'_>,
    out: &mut [f32],
) -> Result<(), Error> {
    let [len, columns] = weights.shape();
    Error::check_length("data", data.len(), &[rows, len])?;
    Error::check_length("out", out.len(), &[rows, columns])?;
    if len == 0 || out.is_empty() {
        out.fill(0.0);
        return Ok(());
    }
    let stride = dense_stride(isa, columns);
    let weights = &dense_weights(isa, weights);
    let rows = Rows { data, len };
    let whole = |out| Product {
        rows,
        weights,
        out,
        stride,
    };
    if stride == columns {
        dispatch(isa, whole(out));
        return Ok(());
    }
    let mut scratch = Scratch::take();
    let [wide] = scratch.slices([out.len() / columns * stride]);
    dispatch(isa, whole(&mut *wide));
    for (to, from) in out.chunks_exact_mut(columns).zip(wide.chunks_exact(stride)) {
        to.copy_from_slice(&from[..columns]);
    }
    scratch.put_back();
    Ok(())
}

/// Some rows of a product, or all.
struct Product<'a> {
    rows: Rows<'a>,
    weights: &'a Packed,
    out: &'a mut [f32],
    stride: usize,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        product(simd, self.rows, self.weights, self.out, self.stride);
    }
}

/// The same, but for numbers that are all but 0.
struct WithoutLeast<'a>(Product<'a>);

impl Kernel for WithoutLeast<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Rows { data, len } = self.0.rows;
        let mut scratch = Scratch::take();
        let [kept] = scratch.slices([data.len()]);
        let data = without_least(data, kept);
        let rows = Rows { data, len };
        Product { rows, ..self.0 }.run(simd);
        scratch.put_back();
    }
}

/// Numbers of a [`dense_product`] that are closer to 0 count as 0. Their products may be denormal, which
/// takes a CPU many times as long, and the gradients of a saturated softmax are that small.
const LEAST: f32 = 1e-30;

/// The data, or, if numbers are that small, a copy without them.
#[inline(always)]
fn without_least<'a>(data: &'a [f32], copy: &'a mut [f32]) -> &'a [f32] {
    // Without an early end, which would keep it from being done in vectors.
    let small = |any, x: &f32| any | ((x.abs() < LEAST) & (*x != 0.0));
    if !data.iter().fold(false, small) {
        return data;
    }
    for (to, &x) in copy.iter_mut().zip(data) {
        *to = if x.abs() < LEAST { 0.0 } else { x };
    }
    copy
}

/// `out = rows × weights`. Rows of `out` are `stride` long: at least as long as all tiles together.
///
/// Every sum starts from 0 and adds products in ascending order, each rounded once, together with the
/// sum. So many sums are kept in registers that the next addition to one need not wait for the last, and
/// that a number serves several of them once it is read: on AVX2, twelve of the sixteen registers.
#[inline(always)]
pub(crate) fn product<S: Simd>(
    simd: S,
    rows: Rows<'_>,
    weights: &Packed,
    out: &mut [f32],
    stride: usize,
) {
    for (first, tile) in weights.tiles() {
        progress(rows.data.len() * width(S::LANES) / ADDITIONS_PER_STEP);
        let out = &mut out[first..];
        match (S::LANES, S::UNROLL) {
            (16, _) => rows_of_tile::<S, 4, 4>(simd, rows, tile, out, stride),
            (_, true) => rows_of_tile::<S, 6, 2>(simd, rows, tile, out, stride),
            (_, false) => rows_of_tile::<S, 4, 2>(simd, rows, tile, out, stride),
        }
    }
}

/// The sums of all rows, `R` at a time, for one tile of `V` vectors.
#[inline(always)]
fn rows_of_tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    rows: Rows<'_>,
    tile: &[f32],
    out: &mut [f32],
    stride: usize,
) {
    let count = rows.data.len() / rows.len;
    let Some(last) = count.checked_sub(R) else {
        for row in 0..count {
            sums::<S, 1, V>(simd, rows, row, tile, &mut out[row * stride..], stride);
        }
        return;
    };
    // To compute some of the last rows twice takes less than to take them one by one.
    for group in 0..count.div_ceil(R) {
        let row = last.min(group * R);
        sums::<S, R, V>(simd, rows, row, tile, &mut out[row * stride..], stride);
    }
}

/// Weights of a column that meet the rows without a look at where these end. With more of them, the
/// compiler keeps sums in memory.
const AT_ONCE: usize = 2;

/// The sums of `R` rows from the first on, for one tile of `V` vectors.
#[inline(always)]
fn sums<S: Simd, const R: usize, const V: usize>(
    simd: S,
    rows: Rows<'_>,
    first: usize,
    tile: &[f32],
    out: &mut [f32],
    stride: usize,
) {
    let len = rows.len;
    let data = &rows.data[first * len..][..R * len];
    let data: [_; R] = array(
        #[inline(always)]
        |r| data[r * len..][..len].as_chunks::<AT_ONCE>(),
    );
    let mut sums = [[simd.splat(0.0); V]; R];
    let width = V * S::LANES;
    let (whole, rest) = tile.split_at(len / AT_ONCE * AT_ONCE * width);
    for (k, weights) in (0..len / AT_ONCE).zip(whole.chunks_exact(AT_ONCE * width)) {
        let data: [_; R] = array(
            #[inline(always)]
            |r| &data[r].0[k],
        );
        for (k, weights) in weights.chunks_exact(width).enumerate() {
            add_products(
                simd,
                &mut sums,
                weights,
                #[inline(always)]
                |r| data[r][k],
            );
        }
    }
    for (k, weights) in (0..len % AT_ONCE).zip(rest.chunks_exact(width)) {
        add_products(
            simd,
            &mut sums,
            weights,
            #[inline(always)]
            |r| data[r].1[k],
        );
    }
    for (r, sums) in sums.iter().enumerate() {
        for (v, &sum) in sums.iter().enumerate() {
            let to = r * stride + v * S::LANES;
            simd.store(&mut out[to..], sum);
        }
    }
}

/// Adds the products of a number of each row with a row of the weights.
#[inline(always)]
fn add_products<S: Simd, const R: usize, const V: usize>(
    simd: S,
    sums: &mut [[S::F32; V]; R],
    weights: &[f32],
    number: impl Fn(usize) -> f32,
) {
    let weights: [S::F32; V] = array(
        #[inline(always)]
        |v| simd.load(&weights[v * S::LANES..]),
    );
    for (r, sums) in sums.iter_mut().enumerate() {
        let x = simd.splat(number(r));
        for (sum, &weights) in sums.iter_mut().zip(&weights) {
            *sum = simd.mul_add(x, weights, *sum);
        }
    }
}
