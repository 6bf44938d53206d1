//! The gradient of a product's input, where that of its output is a filtered error.

use super::errors::{ErrorLists, FilteredErrors, STEPS};
use super::gather::{store_partial, stream};
use super::matrix::Matrix;
use super::packed::Packed;
use super::plan::{ADDITIONS_PER_STEP, tile_width};
use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::{Columns, Isa, Kernel, PAST_CACHES, Simd, dispatch};
use crate::spikes::count;
use crate::tiling::cut;
use alloc::vec::Vec;
use core::ops::Range;

/// `out[t] = errors[t] × weights + β·out[t+1]`, `[T, B, inputs]`, for weights `[neurons, inputs]`: a
/// product of the gradient of the neurons' current, in another order.
///
/// Every sum starts from what is left of the step after, and adds products, rounded by themselves, in
/// ascending order of the neurons. So the bits are those of plain loops, on every instruction set and for
/// any number of threads.
///
/// Returns false, and writes nothing, if a weight is infinite or NaN: multiplied by a gradient of 0 it
/// would count, but errors of 0 are not listed. Infinite errors and NaN are.
///
/// # Errors
/// [`Error::Length`] or [`Error::Overflow`] if a length does not fit the shapes, [`Error::Padding`] if
/// padding bits are set.
///
/// ```
/// use bitspike::matmul::{FilteredErrors, Matrix, input_gradient};
/// use bitspike::{simd::Isa, tiling::Shape};
///
/// // Two steps of two neurons. The second has an error at the second step, the first at the first.
/// let mut values = [0.0; 128];
/// (values[0], values[1]) = (4.0, 1.0);
/// let errors = FilteredErrors {
///     shape: Shape { steps: 2, samples: 1, neurons: 2 },
///     active: &[0b01, 0b10],
///     values: &values,
///     decay: 0.5,
/// };
/// let weights = Matrix::new("weights", &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], [2, 3], [3, 1])?;
/// let mut out = [0.0; 6];
/// assert!(input_gradient(Isa::active()?, errors, weights, &mut out)?);
/// assert_eq!(out, [21.0, 42.0, 63.0, 40.0, 80.0, 120.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn input_gradient(
    isa: Isa,
    errors: FilteredErrors<'_>,
    weights: Matrix<'_>,
    out: &mut [f32],
) -> Result<bool, Error> {
    let [neurons, inputs] = weights.shape();
    Error::check_length("weights", neurons, &[errors.shape.neurons])?;
    let rows = errors.check()?;
    Error::check_length("out", out.len(), &[rows, inputs])?;
    if out.is_empty() {
        return Ok(true);
    }
    if neurons == 0 {
        out.fill(0.0);
        return Ok(true);
    }
    let Some(packed) = finite_weights(isa, weights) else {
        return Ok(false);
    };
    packed_input_gradient(isa, errors, &packed, out);
    Ok(true)
}

/// Weights for a sum of the rows of what is listed, if all are finite.
pub(crate) fn finite_weights(isa: Isa, weights: Matrix<'_>) -> Option<Packed> {
    let width = tile_width(isa, weights.shape()[1]);
    Some(Packed::new(isa, weights, width)).filter(Packed::is_finite)
}

/// [`input_gradient`] of errors that have been checked, for some neurons and a gradient that is not empty.
pub(crate) fn packed_input_gradient(
    isa: Isa,
    errors: FilteredErrors<'_>,
    weights: &Packed,
    out: &mut [f32],
) {
    let FilteredErrors { shape, active, .. } = errors;
    let rows = shape.steps * shape.samples;
    let (inputs, width) = (out.len() / rows, weights.width());
    let lists = errors.lists(isa);
    let columns = |sample| {
        let of_tile = move |columns: Range<usize>| {
            sample * inputs + columns.start..sample * inputs + columns.end
        };
        cut(0..inputs, width).map(of_tile)
    };
    let bands = (0..shape.samples).flat_map(columns);
    let mut bands = Columns::split(out, shape.samples * inputs, bands).into_iter();
    let past_caches = rows.saturating_mul(inputs) >= PAST_CACHES;
    let mut items: Vec<_> = lists
        .iter()
        .flat_map(|lists| weights.tiles().map(move |tile| (lists, tile)))
        .zip(&mut bands)
        .map(|((lists, (first, tile)), out)| {
            let decay = errors.decay;
            (
                first,
                Filter {
                    lists,
                    tile,
                    width,
                    decay,
                    past_caches,
                    out,
                },
            )
        })
        .collect();
    // All samples meet a tile of the weights while the caches hold it.
    items.sort_by_key(|(first, _)| *first);
    let additions = rows + count(isa, active) as usize;
    let work = additions.saturating_mul(inputs) / ADDITIONS_PER_STEP;
    parallel::for_each(items, work, |(_, filter)| dispatch(isa, filter));
}

/// The gradients of a sample, for one tile of the weights.
struct Filter<'a> {
    lists: &'a ErrorLists,
    tile: &'a [f32],
    width: usize,
    decay: f32,
    past_caches: bool,
    out: Columns<'a, f32>,
}

impl Kernel for Filter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.width / S::LANES {
            1 => self.sum::<S, 1>(simd),
            2 => self.sum::<S, 2>(simd),
            4 => self.sum::<S, 4>(simd),
            8 => self.sum::<S, 8>(simd),
            vectors => unreachable!("no tile is {vectors} vectors wide"),
        }
    }
}

impl Filter<'_> {
    /// `V` vectors make the tile's width.
    #[inline(always)]
    fn sum<S: Simd, const V: usize>(mut self, simd: S) {
        let ErrorLists {
            ends,
            neurons,
            values,
        } = self.lists;
        let width = V * S::LANES;
        let decay = simd.splat(self.decay);
        let mut sum = [simd.splat(0.0); V];
        let mut start = 0;
        for (block, ends) in ends.chunks(STEPS).enumerate() {
            let last = self.out.rows() - 1 - block * STEPS;
            let first = start;
            for (i, &end) in ends.iter().enumerate() {
                for (&neuron, &value) in neurons[start..end].iter().zip(&values[start..end]) {
                    let weights = &self.tile[neuron as usize * width..][..width];
                    let value = simd.splat(value);
                    for (v, sum) in sum.iter_mut().enumerate() {
                        let product = simd.mul(value, simd.load(&weights[v * S::LANES..]));
                        *sum = simd.add(*sum, product);
                    }
                }
                start = end;
                let out = self.out.row(last - i);
                if self.past_caches && out.len() == width {
                    stream(simd, out, sum);
                } else {
                    store_partial(simd, out, sum);
                }
                for sum in &mut sum {
                    *sum = simd.mul(*sum, decay);
                }
            }
            progress((start - first + ends.len()) * width / ADDITIONS_PER_STEP);
        }
        simd.drain();
    }
}
