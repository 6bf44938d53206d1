//! Vertical counters: a word holds one bit of the counters of 64 neurons.

use super::layout::{self, WORD_BITS};
use super::transpose::{LINE, Line, to_bytes};
use crate::parallel::{self, progress};
use crate::simd::{Isa, compiled_for};
use alloc::vec::Vec;
use core::ops::Range;

/// So many words, or results, take the time of an elementary step of [`parallel::GRAIN`].
const PER_STEP: usize = 4;
/// Lines that one thread counts at a time.
const BLOCK: usize = 16;
/// The bits of a counter.
const BITS: usize = 8;
/// The most that a counter holds.
const FULL: usize = (1 << BITS) - 1;
/// Steps that are added up before they reach the higher bits of the counters.
const GROUP: usize = 8;

/// Bit `p` of the counters of the neurons of a line.
type Planes = [Line; BITS];

/// Which neurons count at a step.
pub(super) trait Counted: Clone + Sync {
    /// Comes before the first step of other neurons.
    fn restart(&mut self);
    /// The neurons that count, given those that fire. It sees the steps in ascending order.
    fn of(&mut self, firing: Line) -> Line;
}

/// At how many steps each neuron counts. `words` is `[outer, axis, inner]` rows of `neurons`, not
/// empty, and `counts` is `[outer, inner, neurons]`.
pub(super) fn count_along(
    isa: Isa,
    words: &[u64],
    [axis, inner]: [usize; 2],
    neurons: usize,
    counted: &impl Counted,
    counts: &mut [f32],
) {
    let work = (words.len() + counts.len()) / PER_STEP;
    // The rows of a step lie side by side, so a line holds the words of several short ones.
    let stride = inner * layout::words(neurons);
    let mut items = Vec::new();
    let outer = words.chunks_exact(axis * stride);
    for (words, mut counts) in outer.zip(counts.chunks_exact_mut(inner * neurons)) {
        for first in (0..stride).step_by(BLOCK * LINE) {
            let columns = first..stride.min(first + BLOCK * LINE);
            let block = counts.split_off_mut(..width(columns.clone(), neurons));
            items.extend(block.map(|counts| (words, columns, counts)));
        }
    }
    parallel::for_each(items, work, |(words, columns, mut counts)| {
        compiled_for(
            isa,
            #[inline(always)]
            || {
                let mut counted = counted.clone();
                for first in columns.clone().step_by(LINE) {
                    let line = first..columns.end.min(first + LINE);
                    if let Some(counts) = counts.split_off_mut(..width(line.clone(), neurons)) {
                        count_line(words, stride, line, neurons, &mut counted, counts);
                    }
                }
            },
        );
    });
}

/// How many neurons these words of rows that lie side by side hold.
#[inline(always)]
fn width(columns: Range<usize>, neurons: usize) -> usize {
    let row_len = layout::words(neurons);
    let before = |column| column / row_len * neurons + column % row_len * WORD_BITS;
    before(columns.end) - before(columns.start)
}

#[inline(always)]
fn load(words: &[u64]) -> Line {
    match words.first_chunk() {
        Some(line) => *line,
        None => {
            let mut line = [0; LINE];
            line[..words.len()].copy_from_slice(words);
            line
        }
    }
}

/// Counts a line: some columns of words, of which a step has `stride`.
#[inline(always)]
fn count_line(
    words: &[u64],
    stride: usize,
    line: Range<usize>,
    neurons: usize,
    counted: &mut impl Counted,
    counts: &mut [f32],
) {
    counted.restart();
    counts.fill(0.0);
    for steps in words.chunks(FULL * stride) {
        let mut planes = [[0; LINE]; BITS];
        let groups = steps.chunks_exact(GROUP * stride);
        let rest = groups.remainder().chunks_exact(stride);
        for group in groups {
            let mut firing = [[0; LINE]; GROUP];
            for (firing, step) in firing.iter_mut().zip(group.chunks_exact(stride)) {
                *firing = counted.of(load(&step[line.clone()]));
            }
            add_group(&mut planes, &firing);
        }
        for step in rest {
            add(&mut planes, &counted.of(load(&step[line.clone()])));
        }
        progress(steps.len() / stride * LINE);
        to_bytes(&mut planes);
        write(&planes, line.start, neurons, counts);
    }
}

/// Adds [`GROUP`] bits to each counter.
#[inline(always)]
fn add_group(planes: &mut Planes, [a, b, c, d, e, f, g, h]: &[Line; GROUP]) {
    for w in 0..LINE {
        let [mut ones, mut twos, mut fours] = [planes[0][w], planes[1][w], planes[2][w]];
        let ab = full_add(&mut ones, a[w], b[w]);
        let cd = full_add(&mut ones, c[w], d[w]);
        let abcd = full_add(&mut twos, ab, cd);
        let ef = full_add(&mut ones, e[w], f[w]);
        let gh = full_add(&mut ones, g[w], h[w]);
        let efgh = full_add(&mut twos, ef, gh);
        let mut carry = full_add(&mut fours, abcd, efgh);
        [planes[0][w], planes[1][w], planes[2][w]] = [ones, twos, fours];
        for plane in &mut planes[3..] {
            carry = half_add(&mut plane[w], carry);
        }
    }
}

/// Adds one bit to each counter.
#[inline(always)]
fn add(planes: &mut Planes, firing: &Line) {
    for w in 0..LINE {
        let mut carry = firing[w];
        for plane in &mut *planes {
            carry = half_add(&mut plane[w], carry);
        }
    }
}

/// Adds two bits to one, for 64 counters; returns the carries.
#[inline(always)]
fn full_add(sum: &mut u64, a: u64, b: u64) -> u64 {
    let half = *sum ^ a;
    let carry = *sum & a | half & b;
    *sum = half ^ b;
    carry
}

/// Adds a bit to one, likewise.
#[inline(always)]
fn half_add(sum: &mut u64, a: u64) -> u64 {
    let carry = *sum & a;
    *sum ^= a;
    carry
}

/// Adds counters to counts: row `j` has those of neurons `8j` to `8j + 7`, a byte each.
#[inline(always)]
fn write(octets: &Planes, column: usize, neurons: usize, mut counts: &mut [f32]) {
    let row_len = layout::words(neurons);
    for w in 0..LINE {
        let width = if (column + w + 1).is_multiple_of(row_len) {
            neurons - (row_len - 1) * WORD_BITS
        } else {
            WORD_BITS
        };
        let Some(word) = counts.split_off_mut(..width) else {
            return;
        };
        let (whole, rest) = word.as_chunks_mut::<BITS>();
        for (counts, row) in whole.iter_mut().zip(octets) {
            let bytes = row[w].to_le_bytes();
            for (count, counter) in counts.iter_mut().zip(bytes) {
                *count += f32::from(counter);
            }
        }
        let bytes = octets[whole.len() % BITS][w].to_le_bytes();
        for (count, counter) in rest.iter_mut().zip(bytes) {
            *count += f32::from(counter);
        }
    }
}
