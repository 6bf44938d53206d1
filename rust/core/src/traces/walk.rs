//! Time, walked through by the weights of some outputs.

use super::Real;
use super::change::Change;
use super::pairs::Pairs;
use super::sums::Sums;
use super::tile::{HEIGHT, Tile};
use crate::Error;
use crate::parallel::{self, pieces};
use crate::simd::{Isa, compiled_for};
use crate::spikes::{count, to_indices};
use core::ops::Range;

/// So many weights are worked on at a time by a thread: they stay in its caches.
const BAND: usize = 1 << 16;

/// Changes weights, or sums, at every step.
pub(super) fn walk<T: Real, C: Change<T>>(
    isa: Isa,
    pairs: &Pairs<'_, T>,
    change: C,
    weights: &mut [T],
) -> Result<(), Error> {
    let (inputs, outputs) = (pairs.pre.neurons, pairs.post.neurons);
    if weights.is_empty() || pairs.samples == 0 {
        return Ok(());
    }
    let rows = pairs.steps * pairs.samples;
    let firing = Firing::of(isa, pairs.pre.spikes, rows, inputs)?;
    let fired = count(isa, pairs.post.spikes) as usize;
    let work = (rows + firing.indices.len()) * outputs + fired * inputs;
    let threads = parallel::threads();
    let shares = if threads == 1 { 1 } else { 2 * threads };
    // Tiles must not reach over the end of a word of spikes.
    let height = outputs.div_ceil(shares).min(BAND / inputs);
    let height = height.max(1).next_multiple_of(HEIGHT);
    let bands = weights.chunks_mut(height * inputs).enumerate();
    let jobs: Vec<_> = bands
        .map(|(i, weights)| Band {
            pairs,
            firing: &firing,
            change,
            first: i * height,
            weights,
        })
        .collect();
    parallel::for_each(jobs, work, |band| {
        compiled_for(
            isa,
            #[inline(always)]
            || band.run(work / outputs),
        );
    });
    Ok(())
}

/// The inputs that fire, row by row of `[T, B]`.
pub(super) struct Firing {
    starts: Vec<u64>,
    indices: Vec<u32>,
}

impl Firing {
    fn of(isa: Isa, spikes: &[u64], rows: usize, neurons: usize) -> Result<Self, Error> {
        let mut starts = vec![0; rows + 1];
        let mut indices = vec![0; count(isa, spikes) as usize];
        to_indices(isa, spikes, rows, neurons, false, &mut starts, &mut indices)?;
        Ok(Self { starts, indices })
    }

    #[inline(always)]
    pub(super) fn rows(&self, rows: Range<usize>) -> &[u32] {
        &self.indices[self.starts[rows.start] as usize..self.starts[rows.end] as usize]
    }
}

/// The weights of some outputs that follow each other.
struct Band<'a, 'b, T, C> {
    pairs: &'a Pairs<'a, T>,
    firing: &'a Firing,
    change: C,
    /// The first of these outputs.
    first: usize,
    weights: &'b mut [T],
}

impl<T: Real, C: Change<T>> Band<'_, '_, T, C> {
    /// All steps; `work` is what they take for one output.
    #[inline(always)]
    fn run(self, work: usize) {
        let inputs = self.pairs.pre.neurons;
        let (steps, samples) = (self.pairs.steps, self.pairs.samples);
        let work = work * (self.weights.len() / inputs) / steps.max(1);
        if samples == 1 {
            let mut sums = Sums::new(inputs);
            for t in pieces(steps, work).flatten() {
                let firing = self.firing.rows(t..t + 1);
                for (i, weights) in self.weights.chunks_exact_mut(inputs).enumerate() {
                    let output = self.first + i;
                    let change = self.change.of_row(output * inputs, inputs);
                    sums.step(self.pairs, firing, (t, output), change, weights);
                }
            }
        } else {
            let mut tile = Tile::new(inputs);
            for t in pieces(steps, work).flatten() {
                let rows = t * samples..(t + 1) * samples;
                for (i, weights) in self.weights.chunks_mut(HEIGHT * inputs).enumerate() {
                    let first = self.first + i * HEIGHT;
                    let height = weights.len() / inputs;
                    tile.gather(self.pairs, self.firing, rows.clone(), first..first + height);
                    let firing = self.firing.rows(rows.clone());
                    tile.apply(firing, first, self.change, weights);
                }
            }
        }
    }
}
