//! A product of dense numbers: what gradients meet where spikes went the other way.

use super::packed::Packed;
use super::plan::ADDITIONS_PER_STEP;
use crate::parallel::progress;
use crate::simd::{Simd, array};
use core::ops::Range;

/// The width of tiles for [`product`] on vectors of so many lanes.
pub(crate) const fn width(lanes: usize) -> usize {
    VECTORS * lanes
}

/// Vectors per row of a tile.
const VECTORS: usize = 2;

/// Rows, `[R, K]` without gaps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) data: &'a [f32],
    /// `K`
    pub(crate) len: usize,
}

/// `out = rows × weights`. Rows of `out` are `stride` long: at least as long as all tiles together.
///
/// Every sum starts from 0 and adds products, rounded by themselves, in ascending order. So many sums
/// are kept in registers that the next addition to one need not wait for the last.
#[inline(always)]
pub(crate) fn product<S: Simd>(
    simd: S,
    rows: Rows<'_>,
    weights: &Packed,
    out: &mut [f32],
    stride: usize,
) {
    let count = rows.data.len() / rows.len;
    for (first, tile) in weights.tiles() {
        progress(rows.data.len() * width(S::LANES) / ADDITIONS_PER_STEP);
        let mut row = 0;
        // AVX-512 has twice as many registers as the others.
        while S::LANES == 16 && row + 8 <= count {
            sums::<S, 8>(simd, rows, row..row + 8, tile, &mut out[first..], stride);
            row += 8;
        }
        while row + 4 <= count {
            sums::<S, 4>(simd, rows, row..row + 4, tile, &mut out[first..], stride);
            row += 4;
        }
        while row < count {
            sums::<S, 1>(simd, rows, row..row + 1, tile, &mut out[first..], stride);
            row += 1;
        }
    }
}

/// The sums of `R` rows for one tile.
#[inline(always)]
fn sums<S: Simd, const R: usize>(
    simd: S,
    rows: Rows<'_>,
    range: Range<usize>,
    tile: &[f32],
    out: &mut [f32],
    stride: usize,
) {
    let len = rows.len;
    let data = &rows.data[range.start * len..range.end * len];
    let data: [&[f32]; R] = array(
        #[inline(always)]
        |r| &data[r * len..][..len],
    );
    let mut sums = [[simd.splat(0.0); VECTORS]; R];
    for (k, weights) in tile.chunks_exact(width(S::LANES)).enumerate().take(len) {
        let weights: [S::F32; VECTORS] = array(
            #[inline(always)]
            |v| simd.load(&weights[v * S::LANES..]),
        );
        for r in 0..R {
            let x = simd.splat(data[r][k]);
            for v in 0..VECTORS {
                sums[r][v] = simd.add(sums[r][v], simd.mul(x, weights[v]));
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (v, &sum) in sums.iter().enumerate() {
            let to = (range.start + r) * stride + v * S::LANES;
            simd.store(&mut out[to..], sum);
        }
    }
}
