//! Time, walked through by the weights of some outputs.

use super::Real;
use super::change::{Change, Learning, Summed};
use super::firing::Firing;
use super::pairs::Pairs;
use super::sums::Sums;
use super::tile::{HEIGHT, Tile};
use crate::Error;
use crate::parallel::{self, pieces};
use crate::simd::{Isa, compiled_for};
use crate::spikes::count;

/// So many weights are worked on at a time by a thread: they stay in its caches.
const BAND: usize = 1 << 12;

/// Changes `weights` `[outputs, inputs]` at every step.
///
/// # Errors
/// [`Error::Length`] if a buffer does not fit the sizes, [`Error::Padding`] if bits are set behind the
/// last neuron.
///
/// An input fires a step before an output, which has fired before as well:
///
/// ```
/// use bitspike::simd::Isa;
/// use bitspike::traces::{Learning, Pairs, Side, learn};
///
/// let side = |spikes, trace| Side { neurons: 1, spikes, trace, gain: None };
/// let pairs = Pairs {
///     steps: 2,
///     samples: 1,
///     pre: side(&[1, 0], &[1.0, 0.5]),
///     post: side(&[0, 1], &[0.25, 1.125]),
/// };
/// let rule = Learning { rate: 1.0, rise: [1.0, 0.0], fall: [1.0, 0.0], bounds: [0.0, 1.0] };
/// let mut weights = [0.5];
/// learn(Isa::active()?, &pairs, rule, &mut weights)?;
/// assert_eq!(weights, [0.5 - 0.25 + 0.5]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn learn<T: Real>(
    isa: Isa,
    pairs: &Pairs<'_, T>,
    rule: Learning<T>,
    weights: &mut [T],
) -> Result<(), Error> {
    pairs.check(weights.len())?;
    match rule.additive() {
        Some(rule) => walk(isa, pairs, rule, weights),
        None => walk(isa, pairs, rule, weights),
    }
}

/// Adds `Σ_t (rise·P − fall·D)` to `sums`, all `[outputs, inputs]`.
///
/// # Errors
/// As [`learn`].
pub fn sum<T: Real>(
    isa: Isa,
    pairs: &Pairs<'_, T>,
    rise: &[T],
    fall: &[T],
    sums: &mut [T],
) -> Result<(), Error> {
    pairs.check(sums.len())?;
    let sizes = [pairs.post.neurons, pairs.pre.neurons];
    Error::check_length("rise", rise.len(), &sizes)?;
    Error::check_length("fall", fall.len(), &sizes)?;
    walk(isa, pairs, Summed { rise, fall }, sums)
}

/// Changes weights, or sums, at every step.
fn walk<T: Real, C: Change<T>>(
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
    let work = (rows + firing.count()) * outputs + fired * inputs;
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
