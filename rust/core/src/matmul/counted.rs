//! The kernel that counts in which bits spikes and weights agree.
//!
//! # Speed
//!
//! Eight outputs lie side by side in a vector, so that no sum crosses lanes. The words of a tile of
//! outputs stay in the first-level cache, and each that is read serves several rows of spikes.

use crate::parallel::progress;
use crate::simd::{CountBits, CountKernel, LINE, array};

/// Rows of spikes that one thread takes at a time.
pub(super) const ROWS: usize = 64;
/// Rows of spikes that meet a word of weights once it is in a register.
const TOGETHER: usize = 2;
/// The most lines that a tile has on any CPU.
pub(super) const WIDEST: usize = 2;

/// Eight words of outputs side by side.
pub(super) type Line = [u64; LINE];

/// What becomes of sums.
pub(super) trait Finish<T>: Sync {
    /// The results of the sums of line `line` of outputs.
    fn of(&self, line: usize, sums: [i32; LINE]) -> [T; LINE];
}

/// The product of some rows, which one thread computes.
pub(super) struct Block<'a, T, F> {
    /// Rows of words.
    pub(super) spikes: &'a [u64],
    /// Words of a row.
    pub(super) words: usize,
    /// `[lines, words, planes]`, as many as a multiple of [`WIDEST`].
    pub(super) lines: &'a [Line],
    /// Results of a row.
    pub(super) outputs: usize,
    /// Whether there are two planes, of 1 and of -1, or one of 1.
    pub(super) is_ternary: bool,
    /// What becomes of sums.
    pub(super) finish: &'a F,
    /// `[rows, outputs]`
    pub(super) out: &'a mut [T],
}

impl<T: Copy, F: Finish<T>> CountKernel for Block<'_, T, F> {
    #[inline(always)]
    fn run<C: CountBits>(self, counter: C) {
        match (self.is_ternary, C::LINES) {
            (true, 1) => self.tiles::<C, true, 1>(counter),
            (true, _) => self.tiles::<C, true, 2>(counter),
            (false, 1) => self.tiles::<C, false, 1>(counter),
            (false, _) => self.tiles::<C, false, 2>(counter),
        }
    }
}

impl<T: Copy, F: Finish<T>> Block<'_, T, F> {
    /// All rows, for `V` lines of outputs after another.
    #[inline(always)]
    fn tiles<C: CountBits, const TERNARY: bool, const V: usize>(self, counter: C) {
        let per_line = self.words * (1 + usize::from(TERNARY));
        let mut active = [0; ROWS];
        if !TERNARY {
            let rows = self.spikes.chunks_exact(self.words);
            active
                .iter_mut()
                .zip(rows)
                .for_each(|(active, row)| *active = ones(row));
        }
        for (tile, lines) in self.lines.chunks_exact(V * per_line).enumerate() {
            let groups = self.spikes.chunks(TOGETHER * self.words);
            let groups = groups.zip(active.chunks(TOGETHER));
            for ((spikes, active), out) in groups.zip(self.out.chunks_mut(TOGETHER * self.outputs))
            {
                // A row that is missing is computed as the first one, and not read.
                let first = &spikes[..self.words];
                let rows = [
                    first,
                    spikes
                        .get(self.words..)
                        .filter(|row| !row.is_empty())
                        .unwrap_or(first),
                ];
                let sums = sums::<C, TERNARY, V>(counter, rows, lines);
                let results = out.chunks_exact_mut(self.outputs).zip(active).zip(sums);
                for ((out, active), sums) in results {
                    let of_lines = out.chunks_mut(LINE).skip(tile * V);
                    for ((line, out), sums) in (tile * V..).zip(of_lines).zip(sums) {
                        let mut sums = counter.sums(sums);
                        if !TERNARY {
                            sums = array(
                                #[inline(always)]
                                |i| 2 * sums[i] - active,
                            );
                        }
                        let results = self.finish.of(line, sums);
                        match out.first_chunk_mut() {
                            Some(out) => *out = results,
                            None => out.copy_from_slice(&results[..out.len()]),
                        }
                    }
                }
            }
            progress(self.spikes.len() * V);
        }
    }
}

#[inline(always)]
fn ones(words: &[u64]) -> i32 {
    words.iter().map(|word| word.count_ones() as i32).sum()
}

/// What rows of spikes meet in `V` lines of outputs; of binary weights only where these are 1.
#[inline(always)]
fn sums<C: CountBits, const TERNARY: bool, const V: usize>(
    counter: C,
    rows: [&[u64]; TOGETHER],
    lines: &[Line],
) -> [[C::Sums; V]; TOGETHER] {
    let planes = 1 + usize::from(TERNARY);
    let words = rows[0].len();
    let lines: [&[Line]; V] = array(
        #[inline(always)]
        |v| &lines[v * words * planes..][..words * planes],
    );
    let mut sums = [[counter.zero(); V]; TOGETHER];
    for word in 0..words {
        for v in 0..V {
            for r in 0..TOGETHER {
                sums[r][v] = counter.add(sums[r][v], rows[r][word], &lines[v][planes * word]);
            }
            if TERNARY {
                let negative = &lines[v][planes * word + 1];
                for r in 0..TOGETHER {
                    sums[r][v] = counter.sub(sums[r][v], rows[r][word], negative);
                }
            }
        }
    }
    sums
}
