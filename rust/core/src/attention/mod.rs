//! Attention between spikes, which has no softmax: sums are whole numbers, and exact in any order.
//!
//! `out[i] = scale · Σ_j (q_i · k_j) v_j` over the tokens `j` of a sample, for each head by itself.

mod order;
mod sample;

pub use order::Order;

use crate::Error;
use crate::parallel;
use crate::simd::{Isa, dispatch};
use crate::spikes::{density, layout};
use sample::Sample;

/// Sums above this are not exact in floats.
const LARGEST: usize = 1 << 24;

/// Queries, keys and values: rows of spikes, `[samples, tokens]` of them each.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// Words of the queries.
    pub queries: &'a [u64],
    /// Words of the keys.
    pub keys: &'a [u64],
    /// Words of the values.
    pub values: &'a [u64],
    /// How many samples there are, which do not see each other.
    pub samples: usize,
    /// Rows of a sample.
    pub tokens: usize,
    /// Spikes of a row.
    pub neurons: usize,
    /// Parts of a row of the same size, each of which attends by itself.
    pub heads: usize,
}

impl Attention<'_> {
    /// Spikes of a row that belong to one head.
    fn width(&self) -> usize {
        self.neurons / self.heads
    }

    fn check(&self, out: &[f32]) -> Result<(), Error> {
        let Self { neurons, heads, .. } = *self;
        if heads == 0 || neurons % heads != 0 {
            return Err(Error::Heads { neurons, heads });
        }
        Error::check_length("out", out.len(), &[self.samples, self.tokens, neurons])?;
        let rows = self.samples.saturating_mul(self.tokens);
        for words in [self.queries, self.keys, self.values] {
            layout::check_padded(words, rows, neurons)?;
        }
        if self.tokens.saturating_mul(self.width()) > LARGEST {
            return Err(Error::Overflow { what: "attention" });
        }
        Ok(())
    }

    /// Additions of vectors that one order takes for all heads of a sample.
    ///
    /// The unit and the constants were measured on one core with AVX2.
    fn additions(&self, isa: Isa, order: Order) -> f64 {
        /// Counting the bits that two words share, and adding a multiple of a vector.
        const OF_WORD: f64 = 2.0;
        const OF_MULTIPLE: f64 = 1.5;
        let rows = self.samples.saturating_mul(self.tokens);
        let active = |words| density(isa, words, rows.saturating_mul(self.neurons));
        let (tokens, width) = (self.tokens as f64, self.width() as f64);
        let vectors = self.width().div_ceil(isa.lanes()) as f64;
        let (queries, keys) = (active(self.queries), active(self.keys));
        let of_head = match order {
            Order::QueriesAndKeys => {
                let share = 1.0 - (1.0 - queries * keys).powf(width);
                let of_pair = OF_WORD * layout::words(self.width()) as f64;
                tokens * tokens * (of_pair + share * OF_MULTIPLE * vectors)
            }
            Order::KeysAndValues => (tokens * (queries + keys) + 1.0) * width * vectors,
        };
        of_head * self.heads as f64
    }

    /// The order that takes less time, judged by density, shape and instruction set only.
    fn order(&self, isa: Isa) -> Order {
        let [first, second] =
            [Order::QueriesAndKeys, Order::KeysAndValues].map(|order| self.additions(isa, order));
        if first < second {
            Order::QueriesAndKeys
        } else {
            Order::KeysAndValues
        }
    }
}

/// `out = scale · Q Kᵀ V` for each head of each sample; `out` is `[samples, tokens, neurons]`. Sums are
/// exact, and rounded once when they are scaled.
///
/// # Errors
/// [`Error::Heads`] if heads do not divide a row, [`Error::Length`] or [`Error::Overflow`] if a length
/// does not fit the shape or sums may exceed 2²⁴, [`Error::Padding`] if spikes have padding bits set.
///
/// ```
/// use bitspike::attention::{Attention, attend};
/// use bitspike::simd::Isa;
///
/// let attention = Attention {
///     queries: &[0b011, 0b100],
///     keys: &[0b111, 0b001], // the first query shares 2 neurons with the first key, 1 with the other
///     values: &[0b001, 0b011],
///     samples: 1,
///     tokens: 2,
///     neurons: 3,
///     heads: 1,
/// };
/// let mut out = [0.0; 6];
/// attend(Isa::active()?, attention, None, 0.5, &mut out)?;
/// assert_eq!(out, [1.5, 0.5, 0.0, 0.5, 0.0, 0.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn attend(
    isa: Isa,
    attention: Attention<'_>,
    order: Option<Order>,
    scale: f32,
    out: &mut [f32],
) -> Result<(), Error> {
    attention.check(out)?;
    if out.is_empty() {
        return Ok(());
    }
    let order = order.unwrap_or_else(|| attention.order(isa));
    let Attention {
        tokens, neurons, ..
    } = attention;
    let steps = (attention.additions(isa, order) * isa.lanes() as f64) as usize;
    let words = tokens * layout::words(neurons);
    let items = attention
        .queries
        .chunks(words)
        .zip(attention.keys.chunks(words))
        .zip(attention.values.chunks(words))
        .zip(out.chunks_mut(tokens * neurons))
        .map(|(((queries, keys), values), out)| Sample {
            queries,
            keys,
            values,
            neurons,
            heads: attention.heads,
            order,
            scale,
            steps,
            out,
        })
        .collect();
    let work = steps.saturating_mul(attention.samples);
    parallel::for_each(items, work, |sample| dispatch(isa, sample));
    Ok(())
}
