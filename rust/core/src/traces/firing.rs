//! Which inputs fire.

use crate::Error;
use crate::simd::Isa;
use crate::spikes::{count, to_indices};
use core::ops::Range;

/// The inputs that fire, row by row of `[T, B]`.
pub(super) struct Firing {
    starts: Vec<u64>,
    indices: Vec<u32>,
}

impl Firing {
    pub(super) fn of(isa: Isa, spikes: &[u64], rows: usize, neurons: usize) -> Result<Self, Error> {
        let mut starts = vec![0; rows + 1];
        let mut indices = vec![0; count(isa, spikes) as usize];
        to_indices(isa, spikes, rows, neurons, false, &mut starts, &mut indices)?;
        Ok(Self { starts, indices })
    }

    /// How many spikes there are.
    pub(super) fn count(&self) -> usize {
        self.indices.len()
    }

    /// Those of some rows, one row after the other.
    #[inline(always)]
    pub(super) fn rows(&self, rows: Range<usize>) -> &[u32] {
        &self.indices[self.starts[rows.start] as usize..self.starts[rows.end] as usize]
    }
}
