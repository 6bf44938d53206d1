//! A step of several samples.

use super::Real;
use super::change::Change;
use super::firing::Firing;
use super::pairs::Pairs;
use crate::simd::array;
use core::ops::Range;

/// Outputs of a tile.
pub(super) const HEIGHT: usize = 16;
/// If fewer than one in so many inputs fire, only their weights are worked on.
const SPARSE: usize = 8;

/// `P` and `D` of some outputs, which are 0 between steps.
///
/// `D` lies with the outputs of an input side by side, as the traces do that are added to it: an input
/// that fires adds vectors. `P` lies as the weights do, for the same reason.
pub(super) struct Tile<T> {
    /// `[HEIGHT, inputs]`
    risen: Vec<T>,
    /// Which outputs fire in any sample.
    fired: [bool; HEIGHT],
    /// By input.
    fallen: Vec<[T; HEIGHT]>,
    /// `D` of one output.
    row: Vec<T>,
}

impl<T: Real> Tile<T> {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            risen: vec![T::ZERO; HEIGHT * inputs],
            fired: [false; HEIGHT],
            fallen: vec![[T::ZERO; HEIGHT]; inputs],
            row: vec![T::ZERO; inputs],
        }
    }

    /// Sums over the samples of a step, in their order.
    #[inline(always)]
    pub(super) fn gather(
        &mut self,
        pairs: &Pairs<'_, T>,
        firing: &Firing,
        rows: Range<usize>,
        outputs: Range<usize>,
    ) {
        for row in rows {
            let traces = &pairs.post.traces(row)[outputs.clone()];
            let y: [T; HEIGHT] = traces.try_into().unwrap_or_else(
                #[inline(always)]
                |_| array(|i| traces.get(i).copied().unwrap_or(T::ZERO)),
            );
            let gains = pairs.pre.gains(row);
            for &j in firing.rows(row..row + 1) {
                let sums = &mut self.fallen[j as usize];
                match gains {
                    None => {
                        for i in 0..HEIGHT {
                            sums[i] = sums[i] + y[i];
                        }
                    }
                    Some(gains) => {
                        let gain = gains[j as usize];
                        for i in 0..HEIGHT {
                            sums[i] = sums[i] + y[i] * gain;
                        }
                    }
                }
            }
            let mut fire = pairs.post.firing(row, &outputs);
            while fire != 0 {
                let i = fire.trailing_zeros() as usize;
                let gain = pairs.post.gains(row);
                let gain = gain.map(|gains| gains[outputs.start + i]);
                self.rise(i, pairs.pre.traces(row), gain);
                fire &= fire - 1;
            }
        }
    }

    /// Adds to `P` what an output that fires meets.
    #[inline(always)]
    fn rise(&mut self, i: usize, trace: &[T], gain: Option<T>) {
        self.fired[i] = true;
        let sums = &mut self.risen[i * trace.len()..(i + 1) * trace.len()];
        match gain {
            None => {
                for (sum, &x) in sums.iter_mut().zip(trace) {
                    *sum = *sum + x;
                }
            }
            Some(gain) => {
                for (sum, &x) in sums.iter_mut().zip(trace) {
                    *sum = *sum + gain * x;
                }
            }
        }
    }

    /// Changes the weights of these outputs, for the inputs that fire in any sample; clears the sums.
    #[inline(always)]
    pub(super) fn apply<C: Change<T>>(
        &mut self,
        firing: &[u32],
        first: usize,
        change: C,
        weights: &mut [T],
    ) {
        let inputs = self.row.len();
        let sparse = firing.len() < inputs / SPARSE;
        let rows = weights.chunks_exact_mut(inputs);
        let risen = self.risen.chunks_exact_mut(inputs);
        for (i, (weights, risen)) in rows.zip(risen).enumerate() {
            let change = change.of_row((first + i) * inputs, inputs);
            if sparse && !self.fired[i] {
                // An input may be listed for several samples: from the second time on, its D is 0.
                for &j in firing {
                    let fallen = &mut self.fallen[j as usize][i];
                    let weight = &mut weights[j as usize];
                    *weight = change.fall(j as usize, *weight, *fallen);
                    *fallen = T::ZERO;
                }
                continue;
            }
            for (row, fallen) in self.row.iter_mut().zip(&self.fallen) {
                *row = fallen[i];
            }
            change.all(weights, risen, &self.row);
            if self.fired[i] {
                risen.fill(T::ZERO);
                self.fired[i] = false;
            }
        }
        if sparse {
            for &j in firing {
                self.fallen[j as usize] = [T::ZERO; HEIGHT];
            }
        } else {
            self.fallen.fill([T::ZERO; HEIGHT]);
        }
    }
}
