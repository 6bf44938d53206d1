//! The gradient of a product's weights.

use super::active::Active;
use super::gather::{Gather, Target, Weights};
use super::nonfinite::Nonfinite;
use super::plan::{CHUNK, Plan, WIDEST};
use super::{Matrix, ToTarget, by_rows};
use crate::simd::{Columns, Isa, dispatch};
use crate::spikes::{self, layout};
use crate::tiling::cut;
use crate::{Error, parallel};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

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
    check(spikes, inputs, grad, out, bias.as_deref())?;
    if let Some(bias) = &mut bias {
        bias.fill(0.0);
    }
    let Some(met) = Inputs::new(isa, spikes, inputs, grad, bias.as_deref_mut())? else {
        out.fill(0.0);
        return Ok(());
    };
    let plan = &met.plan;
    let mut items = Vec::new();
    let mut rest = &mut *out;
    let mut bias = plan.by_tile(bias);
    for tile in &plan.tiles {
        let mut first = Some(&met.nonfinite);
        let mut column_sums = bias.next();
        let (tile_rows, others) = rest.split_at_mut(tile.columns.len() * inputs);
        rest = others;
        let bands = cut(0..inputs, plan.chunks_per_item * CHUNK);
        for (active, out) in met
            .active
            .chunks(plan.chunks_per_item)
            .zip(Columns::split(tile_rows, inputs, bands))
        {
            items.push(Gather {
                weights: Weights::Matrix(grad),
                tile,
                active,
                plan,
                bias: [0.0; WIDEST],
                // As in `by_rows`.
                nonfinite: first.take(),
                column_sums: column_sums.take(),
                target: Target::Transposed(out),
            });
        }
    }
    if let Some((nonfinite, rows, row_len)) = met.run(isa, items) {
        nonfinite.spoil_transposed(rows, row_len, out);
    }
    Ok(())
}

/// Adds [`weight_gradient`], transposed, to sums `[inputs, outputs]`, and the sums of the columns of
/// `grad` to those of the bias. Sums go on as if the rows were further ones of a single call.
pub(crate) fn add_weight_gradient(
    isa: Isa,
    spikes: &[u64],
    inputs: usize,
    grad: Matrix<'_>,
    sums: &mut [f32],
    mut bias: Option<&mut [f32]>,
) -> Result<(), Error> {
    check(spikes, inputs, grad, sums, bias.as_deref())?;
    let Some(met) = Inputs::new(isa, spikes, inputs, grad, bias.as_deref_mut())? else {
        return Ok(());
    };
    let (plan, nonfinite) = (&met.plan, Some(&met.nonfinite));
    let of_tiles = vec![Weights::Matrix(grad); plan.tiles.len()];
    let to = (Target::Sums as ToTarget<'_>, &mut *sums);
    let mut items = by_rows(plan, &met.active, &of_tiles, None, nonfinite, to);
    // The first item of each tile reads all rows.
    for (item, bias) in items.iter_mut().zip(plan.by_tile(bias)) {
        item.column_sums = Some(bias);
    }
    if let Some((nonfinite, rows, row_len)) = met.run(isa, items) {
        nonfinite.spoil(rows, row_len, grad.shape()[1], sums);
    }
    Ok(())
}

/// Checks all lengths.
fn check(
    spikes: &[u64],
    inputs: usize,
    grad: Matrix<'_>,
    out: &[f32],
    bias: Option<&[f32]>,
) -> Result<(), Error> {
    let [rows, outputs] = grad.shape();
    layout::check_padded(spikes, rows, inputs)?;
    Error::check_length("out", out.len(), &[outputs, inputs])?;
    if let Some(bias) = bias {
        Error::check_length("bias", bias.len(), &[outputs])?;
    }
    Ok(())
}

/// Adds the sums of the columns of a gradient to those of the bias: one input that is never active stands
/// for none.
fn add_bias_gradient(isa: Isa, grad: Matrix<'_>, bias: &mut [f32]) -> Result<(), Error> {
    let [rows, outputs] = grad.shape();
    let sums = &mut vec![0.0; outputs];
    add_weight_gradient(isa, &vec![0; rows], 1, grad, sums, Some(bias))
}

/// What a gradient's rows meet.
struct Inputs<'a> {
    grad: Matrix<'a>,
    /// For each input, as a row of bits, the rows in which it was active.
    rows_of_each: Vec<u64>,
    plan: Plan,
    /// They as lists.
    active: Vec<Active>,
    /// Set by the items that read the gradient, if some number of it is not finite.
    nonfinite: AtomicBool,
}

impl<'a> Inputs<'a> {
    /// None where no row meets an input: then the sums of the columns are in the bias.
    fn new(
        isa: Isa,
        spikes: &[u64],
        inputs: usize,
        grad: Matrix<'a>,
        bias: Option<&mut [f32]>,
    ) -> Result<Option<Self>, Error> {
        let [rows, outputs] = grad.shape();
        if rows == 0 || outputs == 0 {
            return Ok(None);
        }
        if inputs == 0 {
            if let Some(bias) = bias {
                add_bias_gradient(isa, grad, bias)?;
            }
            return Ok(None);
        }
        let size = Error::checked_product("spikes", &[inputs, layout::words(rows)])?;
        let mut rows_of_each = vec![0; size];
        spikes::transpose(isa, spikes, rows, inputs, &mut rows_of_each)?;
        let count = spikes::count(isa, spikes) as usize;
        let plan = Plan::new(isa, count, [inputs, rows, outputs]);
        let active = Active::lists(isa, &rows_of_each, inputs, rows, plan.block);
        Ok(Some(Self {
            grad,
            rows_of_each,
            plan,
            active,
            nonfinite: AtomicBool::new(false),
        }))
    }

    /// Runs the items. What then spoils sums, if anything: numbers that are not finite, and the rows of
    /// each input with the length of one.
    fn run(&self, isa: Isa, items: Vec<Gather<'_>>) -> Option<(Nonfinite, &[u64], usize)> {
        parallel::for_each(items, self.plan.work, |item| dispatch(isa, item));
        let spoilt = self.nonfinite.load(Ordering::Relaxed);
        let row_len = layout::words(self.grad.shape()[0]);
        spoilt.then(|| (Nonfinite::new(self.grad), &self.rows_of_each[..], row_len))
    }
}
