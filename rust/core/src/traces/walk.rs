//! Time, walked through by the weights of some outputs.

use super::Real;
use super::change::Change;
use super::pairs::Pairs;
use crate::Error;
use crate::parallel::{self, pieces};
use crate::simd::{Isa, compiled_for};
use crate::spikes::{count, to_indices};
use core::ops::Range;

/// So many weights are worked on at a time by a thread: they stay in its caches.
const BAND: usize = 1 << 16;
/// If more than this share of a row's inputs fire, the whole row is worked on.
const SHARE: usize = 4;

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
    let height = outputs.div_ceil(shares).min((BAND / inputs).max(1));
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
struct Firing {
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
    fn rows(&self, rows: Range<usize>) -> &[u32] {
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
        let height = self.weights.len() / inputs;
        let mut sums = Sums {
            none: vec![T::ZERO; inputs],
            risen: vec![T::ZERO; inputs],
            fallen: vec![T::ZERO; inputs],
        };
        for t in pieces(steps, work * height / steps.max(1)).flatten() {
            let rows = t * samples..(t + 1) * samples;
            for (i, weights) in self.weights.chunks_exact_mut(inputs).enumerate() {
                let output = self.first + i;
                let change = self.change.of_row(output * inputs, inputs);
                if samples == 1 {
                    sums.one_sample(self.pairs, self.firing, (t, output), change, weights);
                } else {
                    sums.samples(self.pairs, self.firing, &rows, output, change, weights);
                }
            }
        }
    }
}

/// `P` and `D` of one output, which are 0 between steps.
struct Sums<T> {
    /// Zeros.
    none: Vec<T>,
    risen: Vec<T>,
    fallen: Vec<T>,
}

impl<T: Real> Sums<T> {
    /// A step of one sample, where `P` is a trace, and `D` one number times the inputs that fire.
    #[inline(always)]
    fn one_sample<C: Change<T>>(
        &mut self,
        pairs: &Pairs<'_, T>,
        firing: &Firing,
        (row, output): (usize, usize),
        change: C,
        weights: &mut [T],
    ) {
        let y = pairs.post.traces(row)[output];
        let firing = if y == T::ZERO {
            &[]
        } else {
            firing.rows(row..row + 1)
        };
        let gains = pairs.pre.gains(row);
        if !pairs.post.fires(row, output) {
            for &j in firing {
                let j = j as usize;
                let fallen = gains.map_or(y, |gains| y * gains[j]);
                weights[j] = change.one(j, weights[j], T::ZERO, fallen);
            }
            return;
        }
        self.fall(y, firing, gains);
        let trace = pairs.pre.traces(row);
        if let Some(gains) = pairs.post.gains(row) {
            self.rise(trace, Some(gains[output]));
            change.all(weights, &self.risen, &self.fallen);
            self.risen.fill(T::ZERO);
        } else {
            change.all(weights, trace, &self.fallen);
        }
        for &j in firing {
            self.fallen[j as usize] = T::ZERO;
        }
    }

    /// A step of several samples.
    #[inline(always)]
    fn samples<C: Change<T>>(
        &mut self,
        pairs: &Pairs<'_, T>,
        firing: &Firing,
        rows: &Range<usize>,
        output: usize,
        change: C,
        weights: &mut [T],
    ) {
        let (mut fired, mut met) = (false, 0);
        for row in rows.clone() {
            let y = pairs.post.traces(row)[output];
            if y != T::ZERO {
                let firing = firing.rows(row..row + 1);
                self.fall(y, firing, pairs.pre.gains(row));
                met += firing.len();
            }
            if pairs.post.fires(row, output) {
                let gain = pairs.post.gains(row).map(|gains| gains[output]);
                self.rise(pairs.pre.traces(row), gain);
                fired = true;
            }
        }
        if fired || met > weights.len() / SHARE {
            let risen = if fired { &self.risen } else { &self.none };
            change.all(weights, risen, &self.fallen);
            self.fallen.fill(T::ZERO);
            if fired {
                self.risen.fill(T::ZERO);
            }
        } else if met > 0 {
            // An input may be listed for several samples: from the second time on, its D is 0.
            for &j in firing.rows(rows.clone()) {
                let j = j as usize;
                weights[j] = change.one(j, weights[j], T::ZERO, self.fallen[j]);
                self.fallen[j] = T::ZERO;
            }
        }
    }

    /// Adds to `P` what an output that fires meets.
    #[inline(always)]
    fn rise(&mut self, trace: &[T], gain: Option<T>) {
        let sums = self.risen.iter_mut().zip(trace);
        match gain {
            None => sums.for_each(|(sum, &x)| *sum = *sum + x),
            Some(gain) => sums.for_each(|(sum, &x)| *sum = *sum + gain * x),
        }
    }

    /// Adds to `D` what the inputs that fire meet.
    #[inline(always)]
    fn fall(&mut self, y: T, firing: &[u32], gains: Option<&[T]>) {
        match gains {
            None => {
                for &j in firing {
                    self.fallen[j as usize] = self.fallen[j as usize] + y;
                }
            }
            Some(gains) => {
                for &j in firing {
                    self.fallen[j as usize] = self.fallen[j as usize] + y * gains[j as usize];
                }
            }
        }
    }
}
