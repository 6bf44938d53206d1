//! Where torch's dense convolution is the better one.

use super::Convolution;
use crate::Error;
use crate::matmul::tile_width;
use crate::simd::Isa;

/// What packing the weights and the lists of a call cost, in pixels of the output.
const PACKING: f64 = 24.0;

/// Whether a dense convolution of unpacked spikes would be faster, judged by the shape, the density and
/// the instruction set, or must be taken, because a weight is infinite or NaN.
///
/// The constants were measured against torch, with `channels_last` memory, on two cores.
///
/// # Errors
/// Those of [`Convolution::grid`].
pub fn prefers_dense(
    isa: Isa,
    density: f64,
    rows: usize,
    conv: Convolution,
    weight: &[f32],
) -> Result<bool, Error> {
    let [height, width] = conv.grid()?;
    // Without an early end, which would keep it from being done in vectors.
    let bad = |bad, x: &f32| bad | !x.is_finite();
    if weight.iter().fold(false, bad) {
        return Ok(true);
    }
    let outputs = conv.group_outputs();
    let cost = if conv.is_scattered() {
        cost_of_run(isa, conv.kernel[1] * outputs)
    } else {
        let width = tile_width(isa, outputs);
        cost_of_addition(isa) * outputs.next_multiple_of(width) as f64 / outputs.max(1) as f64
    };
    let pixels = rows.saturating_mul(height).saturating_mul(width).max(1);
    Ok(density * cost + PACKING / pixels as f64 > 1.0)
}

/// Whether a dense convolution of the gradient would be faster than
/// [`input_gradient`](super::input_gradient), judged by the share of errors that are not 0, the shape and
/// the instruction set only.
///
/// # Errors
/// Those of [`Convolution::grid`].
pub fn gradient_prefers_dense(
    isa: Isa,
    share: f64,
    rows: usize,
    conv: Convolution,
) -> Result<bool, Error> {
    let [height, width] = conv.grid()?;
    let cost = cost_of_run(isa, conv.runs().length);
    let pixels = rows.saturating_mul(height).saturating_mul(width).max(1);
    Ok(share * cost + PACKING / pixels as f64 > 1.0)
}

/// An addition to a sum in a register, in multiply-adds of a dense convolution.
fn cost_of_addition(isa: Isa) -> f64 {
    match isa {
        Isa::Scalar => 6.0,
        Isa::Avx2 => 2.5,
        Isa::Avx512 => 3.5,
    }
}

/// The same, to one of a run of sums in memory.
fn cost_of_run(isa: Isa, length: usize) -> f64 {
    let padded = length.next_multiple_of(isa.lanes());
    1.5 * cost_of_addition(isa) * padded as f64 / length.max(1) as f64
}
