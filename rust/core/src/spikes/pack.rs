//! Numbers to bits and back.

use super::layout::{self, WORD_BITS, rows_per_block};
use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::{Isa, Kernel, Simd, dispatch};
use core::sync::atomic::{AtomicUsize, Ordering};

/// So many numbers are converted in the time of an elementary step of [`parallel::GRAIN`].
const PER_STEP: usize = 2;

/// A number that can stand for a spike: 0 or 1.
pub trait Element: Copy + PartialEq + Send + Sync + 'static {
    /// No spike.
    const ZERO: Self;
    /// A spike.
    const ONE: Self;

    /// Whether the number is zero, of either sign. NaN is not.
    fn is_zero(self) -> bool;

    /// Packs up to 64 numbers; the second result says how many of them are neither 0 nor 1.
    #[inline(always)]
    fn pack_word<S: Simd>(simd: S, src: &[Self]) -> (u64, usize) {
        let _ = simd;
        pack_plain(src)
    }

    /// Writes the lowest `dst.len()` bits of `word`.
    #[inline(always)]
    fn unpack_word<S: Simd>(simd: S, word: u64, dst: &mut [Self]) {
        let _ = simd;
        for (i, number) in dst.iter_mut().enumerate() {
            *number = if word >> i & 1 == 1 {
                Self::ONE
            } else {
                Self::ZERO
            };
        }
    }
}

#[inline(always)]
fn pack_plain<T: Element>(src: &[T]) -> (u64, usize) {
    let (mut word, mut others) = (0, 0u32);
    for (i, &number) in src.iter().enumerate() {
        word |= u64::from(!number.is_zero()) << i;
        others += u32::from(!number.is_zero() & (number != T::ONE));
    }
    (word, others as usize)
}

impl Element for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline(always)]
    fn is_zero(self) -> bool {
        self == 0.0
    }

    #[inline(always)]
    fn pack_word<S: Simd>(simd: S, src: &[f32]) -> (u64, usize) {
        let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
        // x·(x − 1) is zero for 0 and 1 only: distinct numbers differ by more than zero, and no such
        // product underflows. For NaN it is NaN. Absolute values cannot cancel when they are added.
        let mut surprise = zero;
        let mut word = 0;
        for (i, src) in src.chunks(S::LANES).enumerate() {
            let x = if src.len() == S::LANES {
                simd.load(src)
            } else {
                simd.load_partial(src)
            };
            word |= simd.to_bits(simd.gt(simd.abs(x), zero)) << (i * S::LANES);
            surprise = simd.add(surprise, simd.abs(simd.mul(x, simd.sub(x, one))));
        }
        let is_number = simd.to_bits(simd.gt(surprise, simd.splat(-1.0)));
        let is_positive = simd.to_bits(simd.gt(surprise, zero));
        if is_number & !is_positive == simd.to_bits(simd.gt(one, zero)) {
            (word, 0)
        } else {
            pack_plain(src)
        }
    }

    #[inline(always)]
    fn unpack_word<S: Simd>(simd: S, word: u64, dst: &mut [f32]) {
        let (zero, one) = (simd.splat(0.0), simd.splat(1.0));
        for (i, dst) in dst.chunks_mut(S::LANES).enumerate() {
            let numbers = simd.select(simd.to_mask(word >> (i * S::LANES)), one, zero);
            if dst.len() == S::LANES {
                simd.store(dst, numbers);
            } else {
                simd.store_partial(dst, numbers);
            }
        }
    }
}

impl Element for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    #[inline(always)]
    fn is_zero(self) -> bool {
        self == 0.0
    }
}

/// Bytes, and truth values stored as bytes.
impl Element for u8 {
    const ZERO: Self = 0;
    const ONE: Self = 1;
    #[inline(always)]
    fn is_zero(self) -> bool {
        self == 0
    }
}

/// The bits of a `bfloat16`: a float32 without its lower half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

/// The bits of an IEEE half-precision number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct F16(pub u16);

impl Element for Bf16 {
    const ZERO: Self = Self(0);
    const ONE: Self = Self(0x3f80);
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.0 << 1 == 0
    }
}

impl Element for F16 {
    const ZERO: Self = Self(0);
    const ONE: Self = Self(0x3c00);
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.0 << 1 == 0
    }
}

/// Packs `rows` rows of `neurons` numbers: every number but 0 becomes a spike.
///
/// Returns how many numbers are neither 0 nor 1 (NaN among them): if any, unpacking does not give
/// the numbers back.
///
/// # Errors
/// [`Error::Length`] if `numbers` or `words` is not `rows` rows of `neurons`.
///
/// ```
/// use bitspike::{simd::Isa, spikes::pack};
/// let mut words = [0; 2];
/// let others = pack(Isa::active()?, &[0.0, 1.0, 1.0, 1.0, 0.0, -2.5], 2, 3, &mut words)?;
/// assert_eq!(words, [0b110, 0b101]);
/// assert_eq!(others, 1);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn pack<T: Element>(
    isa: Isa,
    numbers: &[T],
    rows: usize,
    neurons: usize,
    words: &mut [u64],
) -> Result<usize, Error> {
    Error::check_length("numbers", numbers.len(), &[rows, neurons])?;
    layout::check(words, rows, neurons)?;
    if numbers.is_empty() {
        return Ok(0);
    }
    let block = rows_per_block(neurons);
    let items = numbers
        .chunks(block * neurons)
        .zip(words.chunks_mut(block * layout::words(neurons)))
        .collect();
    let others = AtomicUsize::new(0);
    parallel::for_each(items, numbers.len() / PER_STEP, |(numbers, words)| {
        let found = dispatch(
            isa,
            PackRows {
                numbers,
                neurons,
                words,
            },
        );
        others.fetch_add(found, Ordering::Relaxed);
    });
    Ok(others.into_inner())
}

/// Words of a long row that are converted between two places where the call can be interrupted. What
/// a thread takes of shorter rows is not longer.
const PIECE: usize = 4096;

/// Says [`progress`] after a piece of so many words.
#[inline(always)]
fn after(words: usize) {
    if words == PIECE {
        progress(PIECE * WORD_BITS / PER_STEP);
    }
}

struct PackRows<'a, T> {
    numbers: &'a [T],
    neurons: usize,
    words: &'a mut [u64],
}

impl<T: Element> Kernel for PackRows<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> usize {
        let mut others = 0;
        let rows = self.numbers.chunks_exact(self.neurons);
        for (numbers, words) in rows.zip(self.words.chunks_exact_mut(layout::words(self.neurons))) {
            // Whole words apart, so that their loops have a constant length.
            let (whole, rest) = numbers.as_chunks::<WORD_BITS>();
            for (numbers, words) in whole.chunks(PIECE).zip(words.chunks_mut(PIECE)) {
                for (numbers, word) in numbers.iter().zip(words) {
                    let (bits, found) = T::pack_word(simd, numbers);
                    *word = bits;
                    others += found;
                }
                after(numbers.len());
            }
            if let Some(word) = words.get_mut(whole.len()) {
                let (bits, found) = T::pack_word(simd, rest);
                *word = bits;
                others += found;
            }
        }
        others
    }
}

/// Unpacks `rows` rows of `neurons` spikes to zeros and ones.
///
/// # Errors
/// [`Error::Length`] if `words` or `numbers` is not `rows` rows of `neurons`.
///
/// ```
/// use bitspike::{simd::Isa, spikes::unpack};
/// let mut numbers = [0.0; 6];
/// unpack(Isa::active()?, &[0b110, 0b101], 2, 3, &mut numbers)?;
/// assert_eq!(numbers, [0.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn unpack<T: Element>(
    isa: Isa,
    words: &[u64],
    rows: usize,
    neurons: usize,
    numbers: &mut [T],
) -> Result<(), Error> {
    Error::check_length("numbers", numbers.len(), &[rows, neurons])?;
    layout::check(words, rows, neurons)?;
    if numbers.is_empty() {
        return Ok(());
    }
    let block = rows_per_block(neurons);
    let work = numbers.len() / PER_STEP;
    let items = words
        .chunks(block * layout::words(neurons))
        .zip(numbers.chunks_mut(block * neurons))
        .collect();
    parallel::for_each(items, work, |(words, numbers)| {
        dispatch(
            isa,
            UnpackRows {
                words,
                neurons,
                numbers,
            },
        );
    });
    Ok(())
}

struct UnpackRows<'a, T> {
    words: &'a [u64],
    neurons: usize,
    numbers: &'a mut [T],
}

impl<T: Element> Kernel for UnpackRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self.words.chunks_exact(layout::words(self.neurons));
        for (words, numbers) in rows.zip(self.numbers.chunks_exact_mut(self.neurons)) {
            let (whole, rest) = numbers.as_chunks_mut::<WORD_BITS>();
            for (numbers, words) in whole.chunks_mut(PIECE).zip(words.chunks(PIECE)) {
                for (numbers, &word) in numbers.iter_mut().zip(words) {
                    T::unpack_word(simd, word, numbers);
                }
                after(numbers.len());
            }
            if let Some(&word) = words.get(whole.len()) {
                T::unpack_word(simd, word, rest);
            }
        }
    }
}
