//! Sums over time.

use super::Real;
use crate::Error;
use crate::parallel::{self, pieces};
use crate::simd::{Isa, compiled_for};
use crate::spikes::layout::{self, WORD_BITS};
use crate::tiling::Shape;

/// The spikes of each neuron, weighted by their steps: `sums[b][k][n] = Σ_t weights[k][t]·S[t][b][n]`.
///
/// What is left of traces after the last step is of this form, whatever the equation that they obey:
/// `weights` `[K, T]` say how much of a spike is left in each of `K` `traces`. `sums` is `[B, K, N]`;
/// each is summed in ascending order of the steps.
///
/// # Errors
/// [`Error::Length`] if a buffer does not fit the shape, [`Error::Padding`] if bits are set behind the
/// last neuron.
///
/// ```
/// use bitspike::simd::Isa;
/// use bitspike::tiling::Shape;
/// use bitspike::traces::weighted_sums;
///
/// // Three steps of two neurons.
/// let shape = Shape { steps: 3, samples: 1, neurons: 2 };
/// let mut sums = [0.0; 2];
/// weighted_sums(Isa::active()?, &[0b01, 0b10, 0b11], shape, 1, &[0.25, 0.5, 1.0], &mut sums)?;
/// assert_eq!(sums, [1.25, 1.5]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn weighted_sums<T: Real>(
    isa: Isa,
    spikes: &[u64],
    shape: Shape,
    traces: usize,
    weights: &[T],
    sums: &mut [T],
) -> Result<(), Error> {
    let Shape {
        steps,
        samples,
        neurons,
    } = shape;
    let rows = Error::checked_product("spikes", &[steps, samples])?;
    layout::check_padded(spikes, rows, neurons)?;
    Error::check_length("weights of steps", weights.len(), &[traces, steps])?;
    Error::check_length("weighted sums", sums.len(), &[samples, traces, neurons])?;
    sums.fill(T::ZERO);
    if sums.is_empty() {
        return Ok(());
    }
    let row_len = layout::words(neurons);
    let jobs: Vec<_> = sums.chunks_mut(traces * neurons).enumerate().collect();
    parallel::for_each(jobs, shape.work(), |(sample, sums)| {
        compiled_for(
            isa,
            #[inline(always)]
            || {
                for t in pieces(steps, neurons).flatten() {
                    let row = &spikes[(t * samples + sample) * row_len..][..row_len];
                    for (k, sums) in sums.chunks_exact_mut(neurons).enumerate() {
                        add(sums, row, weights[k * steps + t]);
                    }
                }
            },
        );
    });
    Ok(())
}

/// Adds a weight to the sums of neurons that fire.
#[inline(always)]
fn add<T: Real>(sums: &mut [T], spikes: &[u64], weight: T) {
    for (sums, &word) in sums.chunks_mut(WORD_BITS).zip(spikes) {
        let mut rest = word;
        while rest != 0 {
            let sum = &mut sums[rest.trailing_zeros() as usize];
            *sum = *sum + weight;
            rest &= rest - 1;
        }
    }
}
