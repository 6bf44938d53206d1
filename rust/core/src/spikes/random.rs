//! Random spikes, the same ones whatever computes them.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
//! as 1, 2, 3", 2011). It has no state: a block of four numbers is a function of the seed and the
//! block's index, so every element of a tensor finds its own number, on any thread.

use super::layout::{self, WORD_BITS, rows_per_block};
use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::{Isa, Kernel, Simd, dispatch};

/// A place in a random stream: the element that a call begins with.
///
/// A call that draws `rows · neurons` elements leaves the stream at `first + rows · neurons`: from
/// there, the next call continues as if both were one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Chooses the stream.
    pub seed: u64,
    /// Elements drawn before.
    pub first: u64,
}

/// Draws `rows` rows of `neurons` spikes; row `r` has the probabilities of row `r % period` of
/// `probabilities`, which is `[period, neurons]`.
///
/// `period = B` repeats one sample of data for all steps of `[T, B, N]`, and `period = T·B` gives
/// each step its own. Neuron `n` of row `r` is element `first + r·neurons + n` of the stream.
///
/// An element fires if `⌊u/2⁸⌋ / 2²⁴ < p` for its 32-bit number `u`: never for `p ≤ 0` or NaN,
/// always for `p ≥ 1`, and else with probability `p` rounded up to a multiple of 2⁻²⁴.
///
/// # Errors
/// [`Error::Length`] if `words` is not `rows` rows of `neurons`, or `probabilities` not `period`
/// rows, at least one if there is anything to draw.
///
/// ```
/// use bitspike::{simd::Isa, spikes::{Stream, bernoulli}};
/// let mut words = [0; 3];
/// let stream = Stream { seed: 7, first: 0 };
/// bernoulli(Isa::active()?, stream, &[0.0, 1.0], 1, 3, 2, &mut words)?;
/// assert_eq!(words, [0b10; 3]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn bernoulli(
    isa: Isa,
    stream: Stream,
    probabilities: &[f32],
    period: usize,
    rows: usize,
    neurons: usize,
    words: &mut [u64],
) -> Result<(), Error> {
    layout::check(words, rows, neurons)?;
    let wanted = if words.is_empty() {
        period
    } else {
        period.max(1)
    };
    Error::check_length("probabilities", probabilities.len(), &[wanted, neurons])?;
    if words.is_empty() {
        return Ok(());
    }
    let block = rows_per_block(neurons);
    let items = words
        .chunks_mut(block * layout::words(neurons))
        .enumerate()
        .collect();
    parallel::for_each(items, rows * neurons * STEPS, |(i, words)| {
        let first_row = i * block;
        let first = stream.first.wrapping_add((first_row * neurons) as u64);
        let uniforms = Uniforms::new(Stream { first, ..stream });
        dispatch(
            isa,
            DrawRows {
                uniforms,
                probabilities,
                first_row,
                neurons,
                words,
            },
        );
    });
    Ok(())
}

struct DrawRows<'a> {
    uniforms: Uniforms,
    probabilities: &'a [f32],
    first_row: usize,
    neurons: usize,
    words: &'a mut [u64],
}

impl Kernel for DrawRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let period = self.probabilities.len() / self.neurons;
        let rows = self.words.chunks_exact_mut(layout::words(self.neurons));
        for (row, words) in (self.first_row..).zip(rows) {
            let first = row % period * self.neurons;
            let probabilities = &self.probabilities[first..first + self.neurons];
            for (word, probabilities) in words.iter_mut().zip(probabilities.chunks(WORD_BITS)) {
                let uniforms = self.uniforms.take(probabilities.len());
                *word = below(simd, uniforms, probabilities);
            }
        }
    }
}

/// The bits of `uniforms < probabilities`.
#[inline(always)]
fn below<S: Simd>(simd: S, uniforms: &[f32], probabilities: &[f32]) -> u64 {
    let mut word = 0;
    let lanes = uniforms
        .chunks(S::LANES)
        .zip(probabilities.chunks(S::LANES));
    for (i, (uniforms, probabilities)) in lanes.enumerate() {
        let fires = if uniforms.len() == S::LANES {
            simd.gt(simd.load(probabilities), simd.load(uniforms))
        } else {
            simd.gt(
                simd.load_partial(probabilities),
                simd.load_partial(uniforms),
            )
        };
        word |= simd.to_bits(fires) << (i * S::LANES);
    }
    word
}

/// Drawing one element takes that many of the elementary steps of [`parallel::GRAIN`].
const STEPS: usize = 4;
/// Numbers per block of Philox.
const BLOCK: usize = 4;
/// Numbers drawn ahead.
const AHEAD: usize = 512;

/// The uniform numbers of a stream, in order.
#[derive(Clone, Debug)]
pub(crate) struct Uniforms {
    key: [u32; 2],
    next_block: u64,
    buffer: [f32; WORD_BITS + AHEAD],
    /// The part of `buffer` that is drawn, but not taken yet.
    read: usize,
    filled: usize,
}

impl Uniforms {
    pub(crate) fn new(stream: Stream) -> Self {
        let mut uniforms = Self {
            key: halves(stream.seed),
            next_block: stream.first / BLOCK as u64,
            buffer: [0.0; WORD_BITS + AHEAD],
            read: 0,
            filled: 0,
        };
        let skipped = stream.first % BLOCK as u64;
        let _ = uniforms.take(skipped as usize);
        uniforms
    }

    /// The next `count` numbers, at most 64, each a multiple of 2⁻²⁴ in `[0, 1)`.
    #[inline(always)]
    pub(crate) fn take(&mut self, count: usize) -> &[f32] {
        if self.filled - self.read < count {
            self.refill();
        }
        self.read += count;
        &self.buffer[self.read - count..self.read]
    }

    /// Draws ahead, behind the less than 64 numbers that are left.
    #[inline(always)]
    fn refill(&mut self) {
        self.buffer.copy_within(self.read..self.filled, 0);
        self.filled -= self.read;
        self.read = 0;
        let room = &mut self.buffer[self.filled..self.filled + AHEAD];
        self.filled += AHEAD;
        draw(self.key, self.next_block, room);
        self.next_block = self.next_block.wrapping_add((AHEAD / BLOCK) as u64);
        progress(AHEAD * STEPS);
    }
}

/// The numbers of the blocks from `first` on.
#[inline(always)]
fn draw(key: [u32; 2], first: u64, numbers: &mut [f32]) {
    const SCALE: f32 = 1.0 / (1 << 24) as f32;
    // A plain loop over independent blocks: the compiler computes several at once.
    for (i, numbers) in numbers.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        let [low, high] = halves(first.wrapping_add(i as u64));
        let [a, b, c, d] = philox(key, [low, high, 0, 0]);
        // Through i32, which vector units convert in one step.
        numbers[0] = (a >> 8) as i32 as f32 * SCALE;
        numbers[1] = (b >> 8) as i32 as f32 * SCALE;
        numbers[2] = (c >> 8) as i32 as f32 * SCALE;
        numbers[3] = (d >> 8) as i32 as f32 * SCALE;
    }
}

#[inline(always)]
fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

/// A block of Philox4x32: ten rounds over its counter.
#[inline(always)]
fn philox(mut key: [u32; 2], counter: [u32; BLOCK]) -> [u32; BLOCK] {
    const LOW: u64 = u32::MAX as u64;
    // In 64 bits, as products need; what is in the upper halves does not matter.
    let [mut a, mut b, mut c, mut d] = counter.map(u64::from);
    for _ in 0..10 {
        let from_a = (a & LOW) * 0xd251_1f53;
        let from_c = (c & LOW) * 0xcd9e_8d57;
        [a, b] = [from_c >> 32 ^ b ^ u64::from(key[0]), from_c];
        [c, d] = [from_a >> 32 ^ d ^ u64::from(key[1]), from_a];
        key = [
            key[0].wrapping_add(0x9e37_79b9),
            key[1].wrapping_add(0xbb67_ae85),
        ];
    }
    [a, b, c, d].map(|word| word as u32)
}

#[cfg(test)]
mod tests {
    use super::philox;

    /// The known answers that the authors of Philox publish with Random123.
    #[test]
    fn philox_gives_the_known_answers() {
        let known: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [0xffff_ffff; 4],
                [0xffff_ffff; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in known {
            assert_eq!(philox(key, counter), expected);
        }
    }
}
