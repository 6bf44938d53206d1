//! Sums of weights that inputs select or multiply.

use super::packed::{Form, Packed};
use super::tiles::Tiles;
use crate::matmul::ADDITIONS_PER_STEP;
use crate::parallel::progress;
use crate::simd::Simd;

/// Rows of weights of 8 bits whose sum always fits 16 bits.
const ROWS: usize = 1 << 8;

/// `out = bias + ` the rows of weights that the active inputs select. `bias` and `out` are padded.
#[inline(always)]
pub(crate) fn sums_of_spikes<S: Simd>(
    simd: S,
    weights: &Packed,
    bias: &[i32],
    active: &[u32],
    out: &mut [i32],
) {
    let Packed(Form::Spikes(tiles)) = weights else {
        unreachable!("the weights are not those of spikes");
    };
    // A function of its own, which linear layers and convolutions share.
    simd.vectorize(
        #[inline(always)]
        || match tiles.vectors {
            1 => select::<S, 1>(simd, tiles, bias, active, out),
            2 => select::<S, 2>(simd, tiles, bias, active, out),
            4 if S::UNROLL => select::<S, 4>(simd, tiles, bias, active, out),
            8 if S::UNROLL => select::<S, 8>(simd, tiles, bias, active, out),
            vectors => unreachable!("no tile is {vectors} vectors wide"),
        },
    );
}

#[inline(always)]
fn select<S: Simd, const V: usize>(
    simd: S,
    tiles: &Tiles<i16>,
    bias: &[i32],
    active: &[u32],
    out: &mut [i32],
) {
    let width = V * 2 * S::LANES;
    for (first, tile) in tiles.tiles() {
        progress(active.len() * width / ADDITIONS_PER_STEP);
        let out = &mut out[first..][..width];
        out.copy_from_slice(&bias[first..][..width]);
        for some in active.chunks(ROWS) {
            let mut sums = [simd.splat_i16([0; 2]); V];
            for &input in some {
                let row = &tile[input as usize * width..][..width];
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = simd.add_i16(*sum, simd.load_i16(&row[v * 2 * S::LANES..]));
                }
            }
            for (v, sum) in sums.into_iter().enumerate() {
                for (half, sum) in simd.widen(sum).into_iter().enumerate() {
                    let out = &mut out[(2 * v + half) * S::LANES..];
                    simd.store_i32(out, simd.add_i32(simd.load_i32(out), sum));
                }
            }
        }
    }
}

/// Memory for integers side by side that are not all 0, and for the list of their places: an element
/// each for every two integers.
pub(crate) struct Groups<'a> {
    pub(crate) joined: &'a mut [i32],
    pub(crate) active: &'a mut [u32],
}

/// Integers side by side that are not all 0, and their places.
#[derive(Clone, Copy)]
struct Active<'a> {
    joined: &'a [i32],
    places: &'a [u32],
}

/// `out = bias + ` the rows of weights, times these integers. `bias` and `out` are padded.
#[inline(always)]
pub(crate) fn sums_of_integers<S: Simd>(
    simd: S,
    weights: &Packed,
    bias: &[i32],
    numbers: &[i32],
    groups: Groups<'_>,
    out: &mut [i32],
) {
    simd.vectorize(
        #[inline(always)]
        || match &weights.0 {
            Form::Quads(tiles, rows) => {
                let quads = groups.fill::<4>(numbers);
                match tiles.vectors {
                    1 => multiply_bytes::<S, 1>(simd, tiles, *rows, bias, quads, out),
                    2 => multiply_bytes::<S, 2>(simd, tiles, *rows, bias, quads, out),
                    4 if S::UNROLL => multiply_bytes::<S, 4>(simd, tiles, *rows, bias, quads, out),
                    8 if S::UNROLL => multiply_bytes::<S, 8>(simd, tiles, *rows, bias, quads, out),
                    vectors => unreachable!("no tile is {vectors} vectors wide"),
                }
            }
            Form::Pairs(tiles) => multiply(simd, tiles, bias, groups.fill::<2>(numbers), out),
            Form::Spikes(_) => unreachable!("the weights are those of spikes"),
        },
    );
}

impl<'a> Groups<'a> {
    /// Lays `N` integers each side by side in 32 bits, the first in the lowest, and lists the groups that
    /// are not 0.
    ///
    /// Each group is written, and only what it is decides how far to advance: a branch would be
    /// mispredicted.
    #[inline(always)]
    fn fill<const N: usize>(self, numbers: &[i32]) -> Active<'a> {
        let (whole, rest) = numbers.as_chunks::<N>();
        let mut count = 0;
        let mut append = |place: usize, group| {
            self.joined[count] = group;
            self.active[count] = place as u32;
            count += usize::from(group != 0);
        };
        for (place, group) in whole.iter().enumerate() {
            append(place, joined::<N>(group));
        }
        if !rest.is_empty() {
            append(whole.len(), joined::<N>(rest));
        }
        Active {
            joined: &self.joined[..count],
            places: &self.active[..count],
        }
    }
}

#[inline(always)]
fn multiply<S: Simd>(
    simd: S,
    tiles: &Tiles<i16>,
    bias: &[i32],
    pairs: Active<'_>,
    out: &mut [i32],
) {
    for (first, tile) in tiles.tiles() {
        progress(pairs.places.len() * 2 * S::LANES / ADDITIONS_PER_STEP);
        let mut sum = simd.load_i32(&bias[first..]);
        for (&place, &pair) in pairs.places.iter().zip(pairs.joined) {
            let pair = simd.splat_i16(halves(pair));
            let weights = simd.load_i16(&tile[place as usize * 2 * S::LANES..]);
            sum = simd.add_i32(sum, simd.dot(pair, weights));
        }
        simd.store_i32(&mut out[first..], sum);
    }
}

/// Adds products of so many rows as 16 bits, then these sums as 32 bits.
#[inline(always)]
fn multiply_bytes<S: Simd, const V: usize>(
    simd: S,
    tiles: &Tiles<i8>,
    rows: usize,
    bias: &[i32],
    quads: Active<'_>,
    out: &mut [i32],
) {
    let (width, ones) = (V * S::LANES, simd.splat_i16([1; 2]));
    for (first, tile) in tiles.tiles() {
        progress(quads.places.len() * 4 * width / ADDITIONS_PER_STEP);
        let out = &mut out[first..][..width];
        out.copy_from_slice(&bias[first..][..width]);
        let chunks = quads.places.chunks(rows).zip(quads.joined.chunks(rows));
        for (places, quads) in chunks {
            let mut products = [simd.splat_i16([0; 2]); V];
            for (&place, &quad) in places.iter().zip(quads) {
                let quad = simd.splat_i16(halves(quad));
                let row = &tile[place as usize * 4 * width..][..4 * width];
                for (v, product) in products.iter_mut().enumerate() {
                    let weights = simd.load_i8(&row[v * 4 * S::LANES..]);
                    *product = simd.add_i16(*product, simd.dot_bytes(quad, weights));
                }
            }
            for (v, product) in products.into_iter().enumerate() {
                let out = &mut out[v * S::LANES..];
                let sum = simd.add_i32(simd.load_i32(out), simd.dot(product, ones));
                simd.store_i32(out, sum);
            }
        }
    }
}

/// At most `N` integers side by side, the first in the lowest bits.
#[inline(always)]
fn joined<const N: usize>(numbers: &[i32]) -> i32 {
    let bits = 32 / N;
    let mut sum = 0;
    for (place, &x) in numbers.iter().enumerate() {
        sum |= (x & ((1 << bits) - 1)) << (place * bits);
    }
    sum
}

/// The lower half of 32 bits, and the upper.
#[inline(always)]
fn halves(x: i32) -> [i16; 2] {
    [x as i16, (x >> 16) as i16]
}
