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
pub(crate) mod dense;
pub(crate) mod gather;
mod input_gradient;
pub(crate) mod lists;
mod matrix;
pub(crate) mod nonfinite;
pub(crate) mod packed;
mod plan;
mod planes;
mod prepared;

use crate::simd::{Columns, Isa, dispatch};
use crate::spikes::{self, layout};
use crate::tiling::cut;
use crate::{Error, parallel};
use active::Active;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::AtomicBool;
use gather::{Gather, Target, Weights};
use nonfinite::Nonfinite;
use plan::{CHUNK, Plan};

pub(crate) use dense::{dense_product, dense_stride};
pub use input_gradient::{FilteredErrors, input_gradient};
pub use matrix::Matrix;
pub(crate) use plan::{ADDITIONS_PER_STEP, ITEMS_PER_THREAD, WIDEST, tile_width};
pub use plan::{gradient_prefers_dense, prefers_dense};
pub use planes::{Affine, Planes, plane_product, prefers_planes, scaled_plane_product};
pub(crate) use prepared::product_of_packed;

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
        out.fill(0.0);
        for row in out.chunks_exact_mut(outputs) {
            row.iter_mut()
                .zip(bias.into_iter().flatten())
                .for_each(|(sum, bias)| *sum += bias);
        }
        return Ok(());
    }
    let count = spikes::count(isa, spikes) as usize;
    let plan = Plan::new(isa, count, [rows, inputs, outputs]);
    let active = Active::lists(isa, spikes, rows, inputs, plan.block);
    let nonfinite = AtomicBool::new(false);
    let of_tiles = vec![Weights::Matrix(weights); plan.tiles.len()];
    let items = by_rows(&plan, &active, &of_tiles, bias, Some(&nonfinite), out);
    parallel::for_each(items, plan.work, |item| dispatch(isa, item));
    if nonfinite.into_inner() {
        Nonfinite::new(weights).spoil(spikes, layout::words(inputs), outputs, out);
    }
    Ok(())
}

/// The items of a product whose sums go to the rows of `out`, for the weights of each tile. The first
/// item of a tile reads all of its columns: it is enough that this one says whether they are finite.
fn by_rows<'a>(
    plan: &'a Plan,
    active: &'a [Active],
    weights: &[Weights<'a>],
    bias: Option<&[f32]>,
    mut nonfinite: Option<&'a AtomicBool>,
    out: &'a mut [f32],
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
                target: Target::Rows(out),
            });
        }
        nonfinite = None;
    }
    items
}

/// `out = gradᵀ × spikes`, the gradient of `nn.Linear`'s weight: `out[n][k]` is the sum of
/// `grad[r][n]` over the rows `r` in which input `k` was active.
///
/// `grad` is `[rows, outputs]`, of any strides (an expanded gradient has stride 0), and `out`
/// `[outputs, inputs]`. `bias`, if given, receives the sums of the columns of `grad`: the gradient of
/// the layer's bias, for which it need not be read again.
///
/// # Errors
/// [`Error::Length`] or [`Error::Overflow`] if a length does not fit the shapes, [`Error::Padding`]
/// if spikes have padding bits set.
///
/// ```
/// use bitspike::matmul::{Matrix, weight_gradient};
/// use bitspike::simd::Isa;
///
/// let grad = Matrix::new("grad", &[1.0, 10.0], [2, 1], [1, 1])?;
/// let spikes = [0b101, 0b001]; // row 0: inputs 0 and 2; row 1: input 0
/// let mut out = [0.0; 3];
/// let mut bias = [0.0];
/// weight_gradient(Isa::active()?, &spikes, 3, grad, &mut out, Some(&mut bias))?;
/// assert_eq!(out, [11.0, 0.0, 1.0]);
/// assert_eq!(bias, [11.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn weight_gradient(
    isa: Isa,
    spikes: &[u64],
    inputs: usize,
    grad: Matrix<'_>,
    out: &mut [f32],
    mut bias: Option<&mut [f32]>,
) -> Result<(), Error> {
    if let Some(bias) = &mut bias {
        bias.fill(0.0);
    }
    if grad.shape().contains(&0) {
        out.fill(0.0);
    }
    weight_sums(isa, spikes, inputs, grad, out, bias, false)
}

/// As [`weight_gradient`], added to what is there.
pub(crate) fn add_weight_gradient(
    isa: Isa,
    spikes: &[u64],
    inputs: usize,
    grad: Matrix<'_>,
    out: &mut [f32],
    bias: Option<&mut [f32]>,
) -> Result<(), Error> {
    weight_sums(isa, spikes, inputs, grad, out, bias, true)
}

/// They, if they add to what is there; the sums of the bias always do.
fn weight_sums(
    isa: Isa,
    spikes: &[u64],
    inputs: usize,
    grad: Matrix<'_>,
    out: &mut [f32],
    bias: Option<&mut [f32]>,
    adds: bool,
) -> Result<(), Error> {
    let [rows, outputs] = grad.shape();
    layout::check_padded(spikes, rows, inputs)?;
    Error::check_length("out", out.len(), &[outputs, inputs])?;
    if let Some(bias) = &bias {
        Error::check_length("bias", bias.len(), &[outputs])?;
    }
    if rows == 0 || outputs == 0 {
        return Ok(());
    }
    if inputs == 0 {
        return bias.map_or(Ok(()), |bias| {
            // One input that is never active stands for none.
            let silent = vec![0; rows];
            add_weight_gradient(isa, &silent, 1, grad, &mut vec![0.0; outputs], Some(bias))
        });
    }
    let mut transposed = vec![0; Error::checked_product("spikes", &[inputs, layout::words(rows)])?];
    spikes::transpose(isa, spikes, rows, inputs, &mut transposed)?;
    let count = spikes::count(isa, spikes) as usize;
    let plan = Plan::new(isa, count, [inputs, rows, outputs]);
    let active = Active::lists(isa, &transposed, inputs, rows, plan.block);
    let nonfinite = AtomicBool::new(false);
    let mut items = Vec::new();
    let mut rest = &mut *out;
    let mut bias = bias.map(|bias| bias.chunks_mut(plan.tiles[0].columns.len()));
    for tile in &plan.tiles {
        let mut first = Some(&nonfinite);
        let mut column_sums = bias.as_mut().and_then(Iterator::next);
        let (tile_rows, others) = rest.split_at_mut(tile.columns.len() * inputs);
        rest = others;
        let bands = cut(0..inputs, plan.chunks_per_item * CHUNK);
        for (active, out) in active
            .chunks(plan.chunks_per_item)
            .zip(Columns::split(tile_rows, inputs, bands))
        {
            items.push(Gather {
                weights: Weights::Matrix(grad),
                tile,
                active,
                plan: &plan,
                bias: [0.0; WIDEST],
                // As above.
                nonfinite: first.take(),
                column_sums: column_sums.take(),
                target: Target::Transposed { out, adds },
            });
        }
    }
    parallel::for_each(items, plan.work, |item| dispatch(isa, item));
    if nonfinite.into_inner() {
        Nonfinite::new(grad).spoil_transposed(&transposed, layout::words(rows), out);
    }
    Ok(())
}
