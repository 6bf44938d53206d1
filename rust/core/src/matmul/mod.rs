//! Spikes × weights without multiplying, and the weight gradient.
//!
//! A spike is 0 or 1, so `spikes × weights` is a sum of those rows of the weights whose input is
//! active. One kernel (`gather.rs`) computes such sums for both products:
//!
//! | | rows that are summed | selected by |
//! |---|---|---|
//! | [`product`] | `weights[k]`, one for each input | the spikes of a row |
//! | [`weight_gradient`] | `grad[r]`, one for each row | the transposed spikes: the rows in which an input was active |
//!
//! Weights of one bit, and of three values, need no additions either: `planes.rs` counts the bits in
//! which they agree with spikes.
//!
//! # Order
//!
//! Every sum starts from 0, adds in ascending order of the inputs (of the rows, for the gradient),
//! and adds the bias last. How the work is cut up (`plan.rs`) changes speed only: the bits are those
//! of plain loops, on every instruction set and for any number of threads.
//!
//! Weights that are infinite or NaN (gradients, for the gradient) count where the spike is 0 as well,
//! as in a dense product (`nonfinite.rs`).
//!
//! # Speed
//!
//! *Read each weight from the cache that can hold it.* Columns are taken in tiles, so that the
//! sums of a row stay in registers, and the part of the weights that a tile needs is packed: summing
//! in place would touch another page for every input. *Look at each bit once.* The active inputs of
//! a row are listed once and read by every tile (`active.rs`). *Stay close.* The denser the spikes,
//! the fewer inputs are taken at a time, until their weights fit the first-level cache.

mod active;
mod counted;
#[cfg(feature = "std")]
pub(crate) mod dense;
pub(crate) mod errors;
pub(crate) mod gather;
mod input_gradient;
pub(crate) mod lists;
mod matrix;
pub(crate) mod nonfinite;
pub(crate) mod packed;
mod plan;
mod planes;
mod prepared;
mod weight_gradient;

use crate::simd::{Columns, Isa, dispatch};
use crate::spikes::{self, layout};
use crate::{Error, parallel};
use active::Active;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::AtomicBool;
use gather::{Gather, Target, Weights};
use nonfinite::Nonfinite;
use plan::{CHUNK, Plan};

#[cfg(feature = "std")]
pub use dense::small_dense_product;
#[cfg(feature = "std")]
pub(crate) use dense::{dense_product, dense_stride, dense_weights};
pub use errors::FilteredErrors;
pub use input_gradient::input_gradient;
pub(crate) use input_gradient::{finite_weights, packed_input_gradient};
pub use matrix::Matrix;
pub(crate) use plan::{ADDITIONS_PER_STEP, ITEMS_PER_THREAD, WIDEST, tile_width};
pub use plan::{gradient_prefers_dense, prefers_dense};
pub use planes::{Affine, Planes, plane_product, prefers_planes, scaled_plane_product};
pub(crate) use prepared::Listed;
pub(crate) use weight_gradient::add_weight_gradient;
pub use weight_gradient::weight_gradient;

/// `out = spikes × weights + bias` for `rows` rows of spikes; `weights` is `[inputs, outputs]`, and
/// `out` `[rows, outputs]`.
///
/// # Errors
/// [`Error::Length`] or [`Error::Overflow`] if a length does not fit the shape of the weights,
/// [`Error::Padding`] if spikes have padding bits set.
///
/// ```
/// use bitspike::matmul::{Matrix, product};
/// use bitspike::simd::Isa;
///
/// let weights = Matrix::new("weights", &[1.0, 2.0, 10.0, 20.0, 100.0, 200.0], [3, 2], [2, 1])?;
/// let spikes = [0b101, 0b000]; // the first row: inputs 0 and 2
/// let mut out = [0.0; 4];
/// product(Isa::active()?, &spikes, 2, weights, Some(&[0.5, 0.0]), &mut out)?;
/// assert_eq!(out, [101.5, 202.0, 0.5, 0.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn product(
    isa: Isa,
    spikes: &[u64],
    rows: usize,
    weights: Matrix<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) -> Result<(), Error> {
    let [inputs, outputs] = weights.shape();
    layout::check_padded(spikes, rows, inputs)?;
    Error::check_length("out", out.len(), &[rows, outputs])?;
    if let Some(bias) = bias {
        Error::check_length("bias", bias.len(), &[outputs])?;
    }
    if out.is_empty() {
        return Ok(());
    }
    if inputs == 0 {
        nothing(bias, outputs, out);
        return Ok(());
    }
    let count = spikes::count(isa, spikes) as usize;
    let plan = Plan::new(isa, count, [rows, inputs, outputs]);
    let active = Active::lists(isa, spikes, rows, inputs, plan.block);
    let nonfinite = AtomicBool::new(false);
    let of_tiles = vec![Weights::Matrix(weights); plan.tiles.len()];
    let to = Target::Rows;
    let items = by_rows(&plan, &active, &of_tiles, bias, Some(&nonfinite), (to, out));
    parallel::for_each(items, plan.work, |item| dispatch(isa, item));
    if nonfinite.into_inner() {
        Nonfinite::new(weights).spoil(spikes, layout::words(inputs), outputs, out);
    }
    Ok(())
}

/// The sums of no inputs.
fn nothing(bias: Option<&[f32]>, outputs: usize, out: &mut [f32]) {
    out.fill(0.0);
    for row in out.chunks_exact_mut(outputs) {
        row.iter_mut()
            .zip(bias.into_iter().flatten())
            .for_each(|(sum, bias)| *sum += bias);
    }
}

/// What becomes of sums that go to some columns.
type ToTarget<'a> = fn(Columns<'a, f32>) -> Target<'a>;

/// The items of a product whose sums go to the rows of a matrix, for the weights of each tile. The first
/// item of a tile reads all of its columns: it is enough that this one says whether they are finite.
fn by_rows<'a>(
    plan: &'a Plan,
    active: &'a [Active],
    weights: &[Weights<'a>],
    bias: Option<&[f32]>,
    mut nonfinite: Option<&'a AtomicBool>,
    (target, out): (ToTarget<'a>, &'a mut [f32]),
) -> Vec<Gather<'a>> {
    let outputs = plan.tiles.last().map_or(0, |tile| tile.columns.end);
    let mut items = Vec::new();
    for (active, out) in active
        .chunks(plan.chunks_per_item)
        .zip(out.chunks_mut(plan.chunks_per_item * CHUNK * outputs))
    {
        let columns = plan.tiles.iter().map(|tile| tile.columns.clone());
        let bands = Columns::split(out, outputs, columns);
        for ((tile, &weights), out) in plan.tiles.iter().zip(weights).zip(bands) {
            items.push(Gather {
                weights,
                tile,
                active,
                plan,
                bias: bias.map_or([0.0; WIDEST], |bias| tile.padded(bias)),
                nonfinite,
                column_sums: None,
                target: target(out),
            });
        }
        nonfinite = None;
    }
    items
}
