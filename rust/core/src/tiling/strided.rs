//! Read-only views of sequences, with strides: expanded tensors are read in place, not copied.

use super::{Shape, Tile};
use crate::Error;
use crate::simd::{Simd, array};

/// How many steps ahead the rows of a sequence are fetched. Neighbouring steps lie `B·N` elements
/// apart, usually on different pages, where the hardware does not foresee the next, and one step is
/// about as many instructions as a CPU looks ahead by itself.
pub(crate) const AHEAD: usize = 4;

/// A view `[T, B, N]` of a buffer. A stride of 0 repeats a value.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// The buffer, from the first element of the view on.
    pub data: &'a [f32],
    /// Elements from a step to the next.
    pub time: usize,
    /// Elements from a sample to the next.
    pub sample: usize,
    /// Whether neighbouring neurons lie side by side; otherwise all share one value.
    pub per_neuron: bool,
}

/// One step of one tile of a view.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Row<'a> {
    /// One value for all neurons.
    Same(f32),
    /// A value for each.
    Each(&'a [f32]),
}

impl<'a> Strided<'a> {
    /// The view that holds `value` everywhere.
    #[must_use]
    pub fn constant(value: &'a f32) -> Self {
        Self {
            data: core::slice::from_ref(value),
            time: 0,
            sample: 0,
            per_neuron: false,
        }
    }

    /// Checks that no index of `shape` leaves the buffer.
    pub(crate) fn check(&self, what: &'static str, shape: Shape) -> Result<(), Error> {
        if shape.all().contains(&0) {
            return Ok(());
        }
        let overflow = || Error::Overflow { what };
        let along =
            |size: usize, stride: usize| (size - 1).checked_mul(stride).ok_or_else(overflow);
        let reach = along(shape.steps, self.time)?
            .checked_add(along(shape.samples, self.sample)?)
            .and_then(|reach| {
                reach.checked_add(if self.per_neuron {
                    shape.neurons - 1
                } else {
                    0
                })
            })
            .ok_or_else(overflow)?;
        if reach < self.data.len() {
            Ok(())
        } else {
            Err(Error::Stride {
                what,
                found: self.data.len(),
                reach,
            })
        }
    }

    /// The neurons of a tile at a step.
    #[inline(always)]
    pub(crate) fn row(&self, step: usize, tile: Tile) -> Row<'a> {
        let start = step * self.time + tile.sample * self.sample;
        if self.per_neuron {
            Row::Each(&self.data[start + tile.first..][..tile.width])
        } else {
            Row::Same(self.data[start])
        }
    }

    /// The neurons of a tile at a step as vectors: as [`Row::load`].
    #[inline(always)]
    pub(crate) fn load<S: Simd, const FULL: bool, const V: usize>(
        &self,
        simd: S,
        step: usize,
        tile: Tile,
    ) -> [S::F32; V] {
        self.row(step, tile).load::<S, FULL, V>(simd)
    }

    /// As [`load`](Self::load), for what is read once per tile.
    #[inline(always)]
    pub(crate) fn load_once<S: Simd, const FULL: bool, const V: usize>(
        &self,
        simd: S,
        tile: Tile,
    ) -> [S::F32; V] {
        self.row(0, tile).load_once::<S, FULL, V>(simd)
    }

    /// Asks for the neurons of a later [`load`](Self::load), if the view differs from step to step.
    #[inline(always)]
    pub(crate) fn prefetch<S: Simd>(&self, simd: S, step: usize, tile: Tile) {
        let start = step * self.time + tile.sample * self.sample + tile.first;
        if self.per_neuron && self.time != 0 {
            simd.prefetch(&self.data[start..][..tile.width]);
        }
    }

    /// The view without the samples in front of this one.
    pub(crate) fn starting_at(self, sample: usize) -> Strided<'a> {
        let start = (sample * self.sample).min(self.data.len());
        Strided {
            data: &self.data[start..],
            ..self
        }
    }

    /// The view without the neurons in front of this one.
    pub(crate) fn starting_at_neuron(self, neuron: usize) -> Strided<'a> {
        let start = if self.per_neuron { neuron } else { 0 };
        Strided {
            data: &self.data[start.min(self.data.len())..],
            ..self
        }
    }

    /// The same view of one row of all neurons of `shape`, if its samples lie side by side.
    pub(crate) fn joined(self, shape: Shape) -> Option<Self> {
        let side_by_side = self.sample == if self.per_neuron { shape.neurons } else { 0 };
        side_by_side.then_some(Self { sample: 0, ..self })
    }

    /// Where `(sample, neuron)` lies in a buffer with these strides.
    pub(crate) fn offset(&self, sample: usize, neuron: usize) -> usize {
        sample * self.sample + if self.per_neuron { neuron } else { 0 }
    }
}

impl Row<'_> {
    /// The row as vectors. `FULL`: it fills all of them; else lanes beyond its end are 0, or
    /// arbitrary if all neurons share a value.
    #[inline(always)]
    pub(crate) fn load<S: Simd, const FULL: bool, const V: usize>(self, simd: S) -> [S::F32; V] {
        match self {
            Self::Same(value) => [simd.splat(value); V],
            Self::Each(row) if FULL => {
                let row = &row[..V * S::LANES];
                array(
                    #[inline(always)]
                    |i| simd.load(&row[i * S::LANES..]),
                )
            }
            Self::Each(row) => array(
                #[inline(always)]
                |i| match row.get(i * S::LANES..) {
                    Some(part) if part.len() >= S::LANES => simd.load(part),
                    Some(part) if !part.is_empty() => simd.load_partial(part),
                    // A masked load of no lanes is correct, but takes a hundred times longer
                    // where its address is not mapped.
                    _ => simd.splat(0.0),
                },
            ),
        }
    }

    /// As [`load`](Self::load), for what is read once per tile.
    #[inline(always)]
    pub(crate) fn load_once<S: Simd, const FULL: bool, const V: usize>(
        self,
        simd: S,
    ) -> [S::F32; V] {
        match self {
            Self::Each(row) if FULL || V == 1 && row.len() == S::LANES => {
                Self::Each(row).load::<S, true, V>(simd)
            }
            Self::Each(row) => partial(simd, row),
            Self::Same(_) => self.load::<S, true, V>(simd),
        }
    }
}

/// A row that is not full, compiled once per instruction set: it is a lot of code, and every loop of
/// every neuron has several.
#[inline(never)]
fn partial<S: Simd, const V: usize>(simd: S, row: &[f32]) -> [S::F32; V] {
    simd.vectorize(
        #[inline(always)]
        || Row::Each(row).load::<S, false, V>(simd),
    )
}
