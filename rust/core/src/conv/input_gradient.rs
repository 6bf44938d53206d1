//! The gradient of a convolution's input, where that of its output is a filtered error.

use super::reach::{Place, Reach};
use super::{Convolution, Order};
use crate::Error;
use crate::matmul::errors::ErrorLists;
use crate::matmul::{ADDITIONS_PER_STEP, FilteredErrors};
use crate::parallel::{self, Scratch, progress};
use crate::simd::{Columns, Isa, Kernel, Simd, dispatch};
use crate::spikes::count;
use alloc::vec::Vec;

/// `out[t] = errors[t] ∗ᵀ weight + β·out[t+1]`, `[T, B, *maps]`, for a weight `[outputs, height, width,
/// channels of a group]`: the transposed convolution of the gradient of the neurons' current, in another
/// order. The neurons of the errors lie in an `order`, and so does the gradient.
///
/// Every sum starts from what is left of the step after, and adds products, rounded by themselves, in
/// ascending order of the neurons. So the bits are those of plain loops, on every instruction set and for
/// any number of threads.
///
/// Returns false, and leaves `out` without a meaning, if a weight or an error is infinite or NaN: it would
/// count where the other factor is 0, and such products are left out, or are neighbours of others.
///
/// # Errors
/// Those of [`Convolution::grid`]; [`Error::Length`] or [`Error::Overflow`] if a length does not fit the
/// shapes, [`Error::Padding`] if padding bits are set.
///
/// ```
/// use bitspike::conv::{Convolution, Order, input_gradient};
/// use bitspike::matmul::FilteredErrors;
/// use bitspike::{simd::Isa, tiling::Shape};
///
/// let conv = Convolution {
///     channels: 1, size: [1, 3], outputs: 1, groups: 1, kernel: [1, 2],
///     stride: [1, 1], padding: [0, 0], dilation: [1, 1],
/// };
/// // Two steps of two neurons. The second has an error at the second step, the first at the first.
/// let mut values = [0.0; 128];
/// (values[0], values[1]) = (4.0, 1.0);
/// let errors = FilteredErrors {
///     shape: Shape { steps: 2, samples: 1, neurons: 2 },
///     active: &[0b01, 0b10],
///     values: &values,
///     decay: 0.5,
/// };
/// let (weight, mut out) = ([1.0, 2.0], [0.0; 6]);
/// assert!(input_gradient(Isa::active()?, errors, conv, Order::ChannelsLast, &weight, &mut out)?);
/// assert_eq!(out, [1.0, 4.0, 4.0, 0.0, 4.0, 8.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn input_gradient(
    isa: Isa,
    errors: FilteredErrors<'_>,
    conv: Convolution,
    order: Order,
    weight: &[f32],
    out: &mut [f32],
) -> Result<bool, Error> {
    let grid = conv.grid()?;
    let neurons = [conv.outputs, grid[0], grid[1]];
    Error::check_length("errors", errors.shape.neurons, &neurons)?;
    let rows = errors.check()?;
    Error::check_length("weight", weight.len(), &[conv.outputs, conv.taps()])?;
    let inputs = conv.neurons();
    Error::check_length("out", out.len(), &[rows, inputs])?;
    if out.is_empty() {
        return Ok(true);
    }
    if errors.shape.neurons == 0 {
        out.fill(0.0);
        return Ok(true);
    }
    let lists = errors.lists(isa);
    let values = lists.iter().flat_map(|lists| {
        let listed = lists.ends.last().copied().unwrap_or(0);
        &lists.values[..listed]
    });
    // Without an early end, which would keep it from being done in vectors.
    let bad = |bad, x: &f32| bad | !x.is_finite();
    if weight.iter().fold(false, bad) || values.fold(false, bad) {
        return Ok(false);
    }
    let reach = Reach::new(isa, conv, order, grid, weight);
    let samples = errors.shape.samples;
    let bands = (0..samples).map(|sample| sample * inputs..(sample + 1) * inputs);
    let bands = Columns::split(out, samples * inputs, bands);
    let jobs = lists.iter().zip(bands).map(|(lists, out)| Filter {
        reach: &reach,
        lists,
        decay: errors.decay,
        out,
    });
    let additions = (count(isa, errors.active) as usize).saturating_mul(reach.additions());
    let work = additions.saturating_add(rows.saturating_mul(inputs)) / ADDITIONS_PER_STEP;
    parallel::for_each(jobs.collect(), work, |filter| dispatch(isa, filter));
    Ok(true)
}

/// The gradients of a sample.
struct Filter<'a> {
    reach: &'a Reach,
    lists: &'a ErrorLists,
    decay: f32,
    out: Columns<'a, f32>,
}

impl Kernel for Filter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let ErrorLists {
            ends,
            neurons,
            values,
        } = self.lists;
        let decay = simd.splat(self.decay);
        let mut scratch = Scratch::take();
        let [sums] = scratch.slices([self.reach.sums().next_multiple_of(S::LANES)]);
        sums.fill(0.0);
        let (mut start, mut places) = (0, Vec::new());
        for (step, &end) in (0..self.out.rows()).rev().zip(ends) {
            self.reach.locate(&neurons[start..end], &mut places);
            let mut errors = &values[start..end];
            for places in places.chunk_by(Place::shares_inputs) {
                let (own, others) = errors.split_at(places.len());
                self.reach.add(simd, places, own, sums);
                errors = others;
            }
            let whole = self.reach.sums();
            self.reach.write(&sums[..whole], self.out.row(step));
            for sums in sums.chunks_exact_mut(S::LANES) {
                simd.store(sums, simd.mul(decay, simd.load(sums)));
            }
            let additions = (end - start) * self.reach.additions() + 2 * sums.len();
            progress(additions / ADDITIONS_PER_STEP);
            start = end;
        }
        scratch.put_back();
    }
}
