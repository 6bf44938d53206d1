//! Sums of weights that inputs select or multiply.

use super::Tiles;
use crate::matmul::ADDITIONS_PER_STEP;
use crate::parallel::progress;
use crate::simd::{Simd, array};

/// Rows of weights of 8 bits whose sum always fits 16 bits.
const ROWS: usize = 1 << 8;
/// Largest magnitude of an integer that is multiplied by weights.
pub(crate) const FACTOR: u32 = i16::MAX as u32;

/// `out = bias + ` the rows of weights that the active inputs select. `bias` and `out` are padded.
#[inline(always)]
pub(crate) fn sums_of_spikes<S: Simd>(
    simd: S,
    weights: &Tiles,
    bias: &[i32],
    active: &[u32],
    out: &mut [i32],
) {
    // A function of its own, which linear layers and convolutions share.
    simd.vectorize(
        #[inline(always)]
        || match weights.row() / (2 * S::LANES) {
            1 => select::<S, 1>(simd, weights, bias, active, out),
            2 => select::<S, 2>(simd, weights, bias, active, out),
            4 => select::<S, 4>(simd, weights, bias, active, out),
            8 => select::<S, 8>(simd, weights, bias, active, out),
            vectors => unreachable!("no tile is {vectors} vectors wide"),
        },
    );
}

#[inline(always)]
fn select<S: Simd, const V: usize>(
    simd: S,
    weights: &Tiles,
    bias: &[i32],
    active: &[u32],
    out: &mut [i32],
) {
    let width = V * 2 * S::LANES;
    for (first, tile) in weights.tiles() {
        progress(active.len() * width / ADDITIONS_PER_STEP);
        let (bias, out) = (&bias[first..][..width], &mut out[first..][..width]);
        let (some, others) = active.split_at(active.len().min(ROWS));
        let sums = rows::<S, V>(simd, tile, some);
        for (v, sum) in widened(simd, sums) {
            simd.store_i32(&mut out[v..], simd.add_i32(simd.load_i32(&bias[v..]), sum));
        }
        for some in others.chunks(ROWS) {
            let sums = rows::<S, V>(simd, tile, some);
            for (v, sum) in widened(simd, sums) {
                let out = &mut out[v..];
                simd.store_i32(out, simd.add_i32(simd.load_i32(out), sum));
            }
        }
    }
}

/// Sums in 32 bits, and where each vector has its place.
#[inline(always)]
fn widened<S: Simd, const V: usize>(
    simd: S,
    sums: [S::I16; V],
) -> impl Iterator<Item = (usize, S::I32)> {
    (0..2 * V).map(
        #[inline(always)]
        move |half| (half * S::LANES, simd.widen(sums[half / 2])[half % 2]),
    )
}

/// The sum of some rows of a tile.
#[inline(always)]
fn rows<S: Simd, const V: usize>(simd: S, tile: &[i16], active: &[u32]) -> [S::I16; V] {
    let width = V * 2 * S::LANES;
    let mut sums = [simd.splat_i16([0; 2]); V];
    for &input in active {
        let row = &tile[input as usize * width..][..width];
        for (v, sum) in sums.iter_mut().enumerate() {
            *sum = simd.add_i16(*sum, simd.load_i16(&row[v * 2 * S::LANES..]));
        }
    }
    sums
}

/// Integers of at most [`FACTOR`] as pairs, the first in the lower half.
#[inline(always)]
pub(crate) fn pairs(numbers: &[i32], pairs: &mut [i32]) {
    let (whole, rest) = numbers.as_chunks::<2>();
    let (of_whole, behind) = pairs.split_at_mut(whole.len());
    for (pair, [low, high]) in of_whole.iter_mut().zip(whole) {
        *pair = low & 0xffff | high << 16;
    }
    if let ([last], [pair, ..]) = (rest, behind) {
        *pair = last & 0xffff;
    }
}

/// Lists the pairs that are not 0 at the start of a list as long, and returns how many there are.
///
/// Each place is written, and only what the pair is decides how far to advance: a branch would be
/// mispredicted.
#[inline(always)]
pub(crate) fn list_pairs(pairs: &[i32], list: &mut [u32]) -> usize {
    let mut count = 0;
    for (place, &pair) in (0..).zip(pairs) {
        list[count] = place;
        count += usize::from(pair != 0);
    }
    count
}

/// `out = bias + ` the rows of weights for two inputs each, times the pairs that are listed. `bias` and
/// `out` are padded.
#[inline(always)]
pub(crate) fn sums_of_integers<S: Simd>(
    simd: S,
    weights: &Tiles,
    bias: &[i32],
    (pairs, active): (&[i32], &[u32]),
    out: &mut [i32],
) {
    simd.vectorize(
        #[inline(always)]
        || match weights.row() / (2 * S::LANES) {
            1 => multiply::<S, 1>(simd, weights, bias, (pairs, active), out),
            2 => multiply::<S, 2>(simd, weights, bias, (pairs, active), out),
            4 => multiply::<S, 4>(simd, weights, bias, (pairs, active), out),
            8 => multiply::<S, 8>(simd, weights, bias, (pairs, active), out),
            vectors => unreachable!("no tile is {vectors} vectors wide"),
        },
    );
}

#[inline(always)]
fn multiply<S: Simd, const V: usize>(
    simd: S,
    weights: &Tiles,
    bias: &[i32],
    (pairs, active): (&[i32], &[u32]),
    out: &mut [i32],
) {
    let width = V * S::LANES;
    for (first, tile) in weights.tiles() {
        progress(active.len() * 2 * width / ADDITIONS_PER_STEP);
        let mut sums: [S::I32; V] = array(
            #[inline(always)]
            |v| simd.load_i32(&bias[first + v * S::LANES..]),
        );
        for &place in active {
            let pair = pairs[place as usize];
            let pair = simd.splat_i16([pair as i16, (pair >> 16) as i16]);
            let row = &tile[place as usize * 2 * width..][..2 * width];
            for (v, sum) in sums.iter_mut().enumerate() {
                let weights = simd.load_i16(&row[v * 2 * S::LANES..]);
                *sum = simd.add_i32(*sum, simd.dot(pair, weights));
            }
        }
        for (v, sum) in sums.into_iter().enumerate() {
            simd.store_i32(&mut out[first + v * S::LANES..], sum);
        }
    }
}
