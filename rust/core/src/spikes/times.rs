//! When neurons fire for the first, second, … time.

use super::counters::{Counted, count_along};
use super::layout;
use super::transpose::{LINE, Line};
use crate::Error;
use crate::parallel::{self, progress};
use crate::simd::{Columns, Isa};
use alloc::vec;
use alloc::vec::Vec;

/// Neurons whose gradients one thread writes at a time: those of a hundred steps stay in its
/// cache until the times have been looked up.
const BLOCK: usize = 2 * 1024;
/// Steps between two places where a call can be interrupted.
const STEPS: usize = 64;
/// So many gradients are written in the time of an elementary step of [`parallel::GRAIN`].
const PER_STEP: usize = 2;

/// When each neuron fires for the first, second, … time: `words` is `[steps, samples]` rows of
/// `neurons`, `times` is `[count, samples, neurons]` for any `count`.
///
/// A spike that does not come is put at the last step. Times are exact up to 2²⁴, beyond which a
/// float has no room.
///
/// # Errors
/// [`Error::Length`] if `words` does not have that shape, `times` is not of whole `[samples,
/// neurons]`, or there is no step; [`Error::Overflow`] if the sizes multiply to more than fits in
/// memory.
///
/// ```
/// use bitspike::{simd::Isa, spikes::spike_times};
/// // Four steps of one sample of three neurons: the third is silent.
/// let mut times = [0.0; 6];
/// spike_times(Isa::active()?, &[0b010, 0b001, 0b011, 0b000], [4, 1], 3, &mut times)?;
/// assert_eq!(times, [1.0, 0.0, 3.0, 2.0, 2.0, 3.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn spike_times(
    isa: Isa,
    words: &[u64],
    [steps, samples]: [usize; 2],
    neurons: usize,
    times: &mut [f32],
) -> Result<(), Error> {
    let rows = Error::checked_product("spikes", &[steps, samples])?;
    layout::check(words, rows, neurons)?;
    let each = Error::checked_product("times", &[samples, neurons])?;
    let count = times.len().checked_div(each).unwrap_or(0);
    Error::check_length("times", times.len(), &[count, each])?;
    if times.is_empty() {
        return Ok(());
    }
    Error::check_length("steps", steps.min(1), &[1])?;
    let last = (steps - 1) as f32;
    for (n, times) in times.chunks_exact_mut(each).enumerate() {
        // Before a spike there are as many steps as have not seen it.
        count_along(
            isa,
            words,
            [steps, samples],
            neurons,
            &Awaited::new(n + 1),
            times,
        );
        for time in times {
            *time = time.min(last);
        }
    }
    Ok(())
}

/// Neurons that have fired fewer than so many times count.
#[derive(Clone)]
struct Awaited {
    /// Those that have fired once, twice, … or more often.
    fired: Vec<Line>,
}

impl Awaited {
    fn new(spikes: usize) -> Self {
        Self {
            fired: vec![[0; LINE]; spikes],
        }
    }
}

impl Counted for Awaited {
    #[inline(always)]
    fn restart(&mut self) {
        self.fired.fill([0; LINE]);
    }

    #[inline(always)]
    fn of(&mut self, mut firing: Line) -> Line {
        let mut awaited = [0; LINE];
        for fired in &mut self.fired {
            for w in 0..LINE {
                let before = fired[w];
                fired[w] |= firing[w];
                firing[w] &= before;
                awaited[w] = !fired[w];
            }
        }
        awaited
    }
}

/// The gradient of `[steps, neurons]` spikes, all samples in one row, for that of times
/// `[count, neurons]`: the derivative of a time with respect to the spike at that time is -1. Times are whole numbers;
/// one beyond the last step is taken to be that.
///
/// # Errors
/// [`Error::Length`] if the buffers do not have these shapes for any `count`.
///
/// ```
/// use bitspike::spikes::spike_times_gradient;
/// let mut to_spikes = [0.0; 4];
/// spike_times_gradient(&[1.0, 0.0], &[0.5, 3.0], [2, 2], &mut to_spikes)?;
/// assert_eq!(to_spikes, [0.0, -3.0, -0.5, 0.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn spike_times_gradient(
    times: &[f32],
    grad: &[f32],
    [steps, neurons]: [usize; 2],
    to_spikes: &mut [f32],
) -> Result<(), Error> {
    Error::check_length("to_spikes", to_spikes.len(), &[steps, neurons])?;
    let count = times.len().checked_div(neurons).unwrap_or(0);
    Error::check_length("times", times.len(), &[count, neurons])?;
    Error::check_length("grad", grad.len(), &[count, neurons])?;
    if to_spikes.is_empty() {
        return Ok(());
    }
    let work = to_spikes.len() / PER_STEP + times.len();
    let bands = (0..neurons)
        .step_by(BLOCK)
        .map(|first| first..neurons.min(first + BLOCK));
    let items = bands
        .clone()
        .zip(Columns::split(to_spikes, neurons, bands))
        .collect();
    parallel::for_each(items, work, |(band, mut to_spikes)| {
        for step in 0..steps {
            to_spikes.row(step).fill(0.0);
            if step % STEPS == STEPS - 1 {
                progress(STEPS * band.len() / PER_STEP);
            }
        }
        for (times, grad) in times.chunks_exact(neurons).zip(grad.chunks_exact(neurons)) {
            let of_band = times[band.clone()].iter().zip(&grad[band.clone()]);
            progress(band.len());
            for (neuron, (&time, grad)) in of_band.enumerate() {
                to_spikes.row((time as usize).min(steps - 1))[neuron] -= grad;
            }
        }
    });
    Ok(())
}
