//! Linear scans: `y[t] = a[t]·y[t-1] + x[t]`, without firing and reset, forward and backward.
//!
//! Neurons whose membranes no spike resets are scans. What distinguishes them is where `x` and `a`
//! come from: the decay may differ from step to step, the result may be rectified, and a memory of
//! associations takes the outer product of a value and a key, which is never stored.
//!
//! A thread takes a *group*, the rows that share decay and key, or a span of columns of it.

mod backward;
mod forward;

pub use backward::{Gradients, backward};
pub use forward::forward;

use crate::Error;
use crate::simd::Isa;
use crate::tiling::{Shape, Span, Strided, Tile, spans};
use std::ops::Range;

/// A scan over `T` steps of `R` rows of `N` numbers.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// `[T, R, N]`, of which `samples` is `R`.
    pub shape: Shape,
    /// How many consecutive rows share a decay and a key: a divisor of `R`.
    pub group: usize,
    /// `a`, `[T, R / group, N]`.
    pub decay: Strided<'a>,
    /// `x`, `[T, R, N]`; if there is a key, one factor of it. Backward reads it in that case only.
    pub input: Strided<'a>,
    /// The other factor of `x`, `[T, R / group, N]`.
    pub key: Option<Strided<'a>>,
    /// `y[-1]`, `[R, N]`.
    pub initial: Strided<'a>,
    /// Whether `y[t] = max(0, a[t]·y[t-1] + x[t])` instead.
    pub rectified: bool,
}

impl Scan<'_> {
    /// `[T, R / group, N]`
    fn shared(&self) -> Shape {
        Shape {
            samples: self.shape.samples / self.group,
            ..self.shape
        }
    }

    /// Checks every view against the shape.
    fn check(&self) -> Result<(), Error> {
        if self.group == 0 || !self.shape.samples.is_multiple_of(self.group) {
            return Err(Error::Group {
                rows: self.shape.samples,
                group: self.group,
            });
        }
        Error::checked_product("input", &self.shape.all())?;
        self.input.check("input", self.shape)?;
        self.initial.check("initial", self.shape.once())?;
        self.decay.check("decay", self.shared())?;
        self.key
            .map_or(Ok(()), |key| key.check("key", self.shared()))
    }

    /// What threads take: columns of one group, with the group as the sample.
    fn spans(&self, isa: Isa) -> Vec<Span> {
        let shared = self.shared();
        if self.group == 1 && self.key.is_none() {
            return spans(isa, shared);
        }
        let whole = |sample| Span {
            sample,
            first: 0,
            width: shared.neurons,
        };
        (0..shared.samples).map(whole).collect()
    }

    /// The columns of a span in a step of all rows, `[R, N]`.
    fn columns(&self, span: Span) -> Range<usize> {
        let neurons = self.shape.neurons;
        let start = span.sample * self.group * neurons + span.first;
        start..start + (self.group - 1) * neurons + span.width
    }

    /// A tile's part of one row of its group, given the columns of the span.
    #[inline(always)]
    fn part<'r>(
        &self,
        span: Span,
        tile: Tile,
        row: usize,
        columns: &'r mut [f32],
    ) -> &'r mut [f32] {
        &mut columns[row * self.shape.neurons + tile.first - span.first..][..tile.width]
    }

    /// The same neurons of a row of the group, with the row as the sample.
    #[inline(always)]
    fn tile_of_row(&self, tile: Tile, row: usize) -> Tile {
        Tile {
            sample: tile.sample * self.group + row,
            ..tile
        }
    }
}
