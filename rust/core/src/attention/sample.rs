//! The kernel: all heads of one sample.
//!
//! # Speed
//!
//! Values, and the table of keys and values, are columns of a tile that fits the registers, so that
//! a query sums whole rows without touching memory for the sum.

use super::order::Order;
use crate::matmul::gather::{add, store, store_partial};
use crate::parallel::{Scratch, progress};
use crate::simd::{Kernel, Simd, array};
use crate::spikes::layout::{self, WORD_BITS};
use core::ops::Range;

/// The most vectors that a tile has.
const WIDEST: usize = 8;

/// One sample: rows of queries, keys and values, and what comes of them.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub(super) queries: &'a [u64],
    pub(super) keys: &'a [u64],
    pub(super) values: &'a [u64],
    /// Spikes of a row.
    pub(super) neurons: usize,
    pub(super) heads: usize,
    pub(super) order: Order,
    pub(super) scale: f32,
    /// Elementary steps that the sample takes.
    pub(super) steps: usize,
    /// `[tokens, neurons]`
    pub(super) out: &'a mut [f32],
}

impl Kernel for Sample<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let width = self.neurons / self.heads;
        for head in 0..self.heads {
            let head = head * width..(head + 1) * width;
            for first in head.clone().step_by(WIDEST * S::LANES) {
                let columns = first..head.end.min(first + WIDEST * S::LANES);
                match columns.len().div_ceil(S::LANES) {
                    1 => self.tile::<S, 1>(simd, head.clone(), columns),
                    2 => self.tile::<S, 2>(simd, head.clone(), columns),
                    3 | 4 => self.tile::<S, 4>(simd, head.clone(), columns),
                    _ => self.tile::<S, 8>(simd, head.clone(), columns),
                }
            }
            progress(self.steps / self.heads);
        }
    }
}

impl Sample<'_> {
    /// Some columns of a head's values, which `V` vectors hold.
    #[inline(always)]
    fn tile<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        head: Range<usize>,
        columns: Range<usize>,
    ) {
        match self.order {
            Order::QueriesAndKeys => self.queries_and_keys::<S, V>(simd, head, columns),
            Order::KeysAndValues => self.keys_and_values::<S, V>(simd, head, columns),
        }
    }

    #[inline(always)]
    fn queries_and_keys<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        head: Range<usize>,
        columns: Range<usize>,
    ) {
        let words = layout::words(self.neurons);
        let stride = V * S::LANES;
        let mut scratch = Scratch::take();
        let [values] = scratch.slices([self.values.len() / words * stride]);
        let rows = self.values.chunks_exact(words);
        for (row, to) in rows.zip(values.chunks_exact_mut(stride)) {
            store(simd, to, floats::<S, V>(simd, row, columns.clone()));
        }
        let rows = self.queries.chunks_exact(words);
        for (query, out) in rows.zip(self.out.chunks_exact_mut(self.neurons)) {
            let mut sum = [simd.splat(0.0); V];
            let keys = self.keys.chunks_exact(words);
            for (key, value) in keys.zip(values.chunks_exact(stride)) {
                let shared = shared(query, key, head.clone());
                if shared != 0 {
                    let times = simd.splat(shared as f32);
                    for (v, sum) in sum.iter_mut().enumerate() {
                        let value = simd.load(&value[v * S::LANES..]);
                        *sum = simd.add(*sum, simd.mul(times, value));
                    }
                }
            }
            scaled(simd, &mut sum, self.scale);
            store_partial(simd, &mut out[columns.clone()], sum);
        }
        scratch.put_back();
    }

    #[inline(always)]
    fn keys_and_values<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        head: Range<usize>,
        columns: Range<usize>,
    ) {
        let words = layout::words(self.neurons);
        let stride = V * S::LANES;
        let mut scratch = Scratch::take();
        let [table] = scratch.slices([head.len() * stride]);
        table.fill(0.0);
        let rows = self.keys.chunks_exact(words);
        for (key, value) in rows.zip(self.values.chunks_exact(words)) {
            let value = floats::<S, V>(simd, value, columns.clone());
            each_active(
                key,
                head.clone(),
                #[inline(always)]
                |neuron| {
                    let row = &mut table[neuron * stride..][..stride];
                    let mut sum = value;
                    add(simd, &mut sum, row);
                    store(simd, row, sum);
                },
            );
        }
        let rows = self.queries.chunks_exact(words);
        for (query, out) in rows.zip(self.out.chunks_exact_mut(self.neurons)) {
            let mut sum = [simd.splat(0.0); V];
            each_active(
                query,
                head.clone(),
                #[inline(always)]
                |neuron| add(simd, &mut sum, &table[neuron * stride..][..stride]),
            );
            scaled(simd, &mut sum, self.scale);
            store_partial(simd, &mut out[columns.clone()], sum);
        }
        scratch.put_back();
    }
}

#[inline(always)]
fn scaled<S: Simd, const V: usize>(simd: S, sum: &mut [S::F32; V], scale: f32) {
    for sum in sum {
        *sum = simd.mul(*sum, simd.splat(scale));
    }
}

/// Bits of a row, from one place on and 64 at most, as a word; those behind are 0.
#[inline(always)]
fn field(row: &[u64], bits: Range<usize>) -> u64 {
    let (word, by) = (bits.start / WORD_BITS, bits.start % WORD_BITS);
    let mut field = row[word] >> by;
    if by != 0 && by + bits.len() > WORD_BITS {
        field |= row[word + 1] << (WORD_BITS - by);
    }
    field & layout::tail_mask(bits.len())
}

/// The parts of a range that fill a word each, but for the last.
#[inline(always)]
fn fields(bits: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = bits.end;
    bits.step_by(WORD_BITS).map(
        #[inline(always)]
        move |first| first..end.min(first + WORD_BITS),
    )
}

/// Calls `f` with the place of each spike among these bits of a row.
#[inline(always)]
fn each_active(row: &[u64], bits: Range<usize>, mut f: impl FnMut(usize)) {
    for part in fields(bits.clone()) {
        let first = part.start - bits.start;
        let mut left = field(row, part);
        while left != 0 {
            f(first + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

/// How many spikes two rows share among these bits.
#[inline(always)]
fn shared(a: &[u64], b: &[u64], bits: Range<usize>) -> u32 {
    let mut shared = 0;
    for part in fields(bits) {
        shared += (field(a, part.clone()) & field(b, part)).count_ones();
    }
    shared
}

/// Bits of a row as zeros and ones.
#[inline(always)]
fn floats<S: Simd, const V: usize>(simd: S, row: &[u64], columns: Range<usize>) -> [S::F32; V] {
    let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
    let mut left = 0;
    array(
        #[inline(always)]
        |v| {
            let first = columns.start + v * S::LANES;
            if (v * S::LANES).is_multiple_of(WORD_BITS) {
                let last = columns.end.min(first + WORD_BITS);
                left = if first < last {
                    field(row, first..last)
                } else {
                    0
                };
            }
            let ones = simd.select(simd.to_mask(left), one, zero);
            left >>= S::LANES;
            ones
        },
    )
}
