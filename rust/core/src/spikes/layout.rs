//! Where the bit of a neuron lies.

use crate::Error;
use crate::parallel::{GRAIN, pieces};

/// Neurons per word.
pub const WORD_BITS: usize = u64::BITS as usize;

/// How many words a row of `neurons` takes.
///
/// ```
/// use bitspike::spikes::layout::words;
/// assert_eq!([0, 1, 64, 65].map(words), [0, 1, 1, 2]);
/// ```
#[must_use]
pub const fn words(neurons: usize) -> usize {
    neurons.div_ceil(WORD_BITS)
}

/// `neurons`, rounded up to whole words: rows of so many numbers are never overhung by vectors.
pub(crate) const fn padded(neurons: usize) -> usize {
    neurons.next_multiple_of(WORD_BITS)
}

/// The bits of a row's last word that belong to neurons; the others are padding.
///
/// ```
/// use bitspike::spikes::layout::tail_mask;
/// assert_eq!(tail_mask(65), 1);
/// assert_eq!(tail_mask(64), u64::MAX);
/// ```
#[must_use]
pub const fn tail_mask(neurons: usize) -> u64 {
    match neurons % WORD_BITS {
        0 => u64::MAX,
        used => (1 << used) - 1,
    }
}

/// Whether all padding bits of `rows` rows are zero, as every function of this crate expects.
///
/// # Errors
/// [`Error::Length`] if `words` is not `rows` rows of `neurons`.
pub fn padding_is_zero(words: &[u64], rows: usize, neurons: usize) -> Result<bool, Error> {
    check(words, rows, neurons)?;
    let padding = !tail_mask(neurons);
    let row_len = self::words(neurons);
    let is_zero = |row: usize| words[(row + 1) * row_len - 1] & padding == 0;
    Ok(padding == 0 || pieces(rows, 1).all(|mut rows| rows.all(is_zero)))
}

/// Sets all bits to zero.
pub(crate) fn clear(words: &mut [u64]) {
    for piece in pieces(words.len(), 1) {
        words[piece].fill(0);
    }
}

/// Checks that `words` is `rows` rows of `neurons`.
pub(crate) fn check(words: &[u64], rows: usize, neurons: usize) -> Result<(), Error> {
    Error::check_length("spikes", words.len(), &[rows, self::words(neurons)])
}

/// Checks that the positions of `neurons` fit `u32`.
pub(crate) fn check_indexable(neurons: usize) -> Result<(), Error> {
    match u32::try_from(neurons) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Overflow { what: "indices" }),
    }
}

/// Checks as well that no padding bit is set, for those who take a bit's place for an index.
pub(crate) fn check_padded(words: &[u64], rows: usize, neurons: usize) -> Result<(), Error> {
    if padding_is_zero(words, rows, neurons)? {
        Ok(())
    } else {
        Err(Error::Padding { neurons })
    }
}

/// How many rows of `neurons` one thread takes at a time.
pub(crate) fn rows_per_block(neurons: usize) -> usize {
    (GRAIN / neurons.max(1)).max(1)
}
