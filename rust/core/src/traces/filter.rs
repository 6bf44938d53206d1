//! A trace: decay and bump.

use super::Real;
use crate::Error;
use crate::parallel::{self, pieces};
use crate::simd::{Columns, Isa, compiled_for};
use crate::spikes::layout::{self, WORD_BITS};
use crate::tiling::Shape;

/// How a trace forgets in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay<T> {
    /// `x·d`
    Factor(T),
    /// `x - x/τ`, which is Euler's method for an exponential.
    Euler(T),
}

/// What a neuron remembers of its spikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trace<T> {
    /// How it forgets.
    pub decay: Decay<T>,
    /// Whether a spike sets it to 1 instead of adding 1: then it knows the nearest spike alone.
    pub nearest: bool,
}

/// Whether a trace is read before or after the spike of its own neuron at the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Decayed, and not yet bumped.
    Before,
    /// Decayed and bumped.
    After,
}

impl<T: Real> Trace<T> {
    /// One step without spikes.
    #[inline(always)]
    pub(crate) fn forget(self, values: &mut [T]) {
        match self.decay {
            Decay::Factor(factor) => values.iter_mut().for_each(|x| *x = *x * factor),
            Decay::Euler(tau) => values.iter_mut().for_each(|x| *x = *x - *x / tau),
        }
    }

    /// The spikes of a step.
    #[inline(always)]
    pub(crate) fn bump(self, values: &mut [T], spikes: &[u64]) {
        for (values, &word) in values.chunks_mut(WORD_BITS).zip(spikes) {
            let mut rest = word;
            while rest != 0 {
                let x = &mut values[rest.trailing_zeros() as usize];
                *x = if self.nearest { T::ONE } else { *x + T::ONE };
                rest &= rest - 1;
            }
        }
    }
}

/// The trace of every neuron at every step, `out` `[T, B, N]`; `state` `[B, N]` is what it was before
/// the first step, and becomes what it is after the last.
///
/// # Errors
/// [`Error::Length`] if a buffer does not fit the shape, [`Error::Padding`] if bits are set behind the
/// last neuron.
///
/// ```
/// use bitspike::simd::Isa;
/// use bitspike::tiling::Shape;
/// use bitspike::traces::{Decay, Moment, Trace, filter};
///
/// let shape = Shape { steps: 3, samples: 1, neurons: 1 };
/// let trace = Trace { decay: Decay::Factor(0.5), nearest: false };
/// let (mut state, mut out) = ([0.0], [0.0; 3]);
/// filter(Isa::active()?, &[1, 0, 1], shape, trace, Moment::After, &mut state, &mut out)?;
/// assert_eq!(out, [1.0, 0.5, 1.25]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn filter<T: Real>(
    isa: Isa,
    spikes: &[u64],
    shape: Shape,
    trace: Trace<T>,
    moment: Moment,
    state: &mut [T],
    out: &mut [T],
) -> Result<(), Error> {
    let Shape {
        steps,
        samples,
        neurons,
    } = shape;
    let rows = Error::checked_product("spikes", &[steps, samples])?;
    layout::check_padded(spikes, rows, neurons)?;
    Error::check_length("state of traces", state.len(), &shape.row())?;
    Error::check_length("traces", out.len(), &shape.all())?;
    if state.is_empty() {
        return Ok(());
    }
    let row_len = layout::words(neurons);
    let bands = (0..samples).map(|b| b * neurons..(b + 1) * neurons);
    let bands = Columns::split(out, samples * neurons, bands);
    let jobs: Vec<_> = state
        .chunks_mut(neurons)
        .zip(bands)
        .enumerate()
        .map(|(b, (state, out))| (b, state, out))
        .collect();
    parallel::for_each(jobs, shape.work(), |(b, state, mut out)| {
        compiled_for(
            isa,
            #[inline(always)]
            || {
                for t in pieces(steps, neurons).flatten() {
                    let first = (t * samples + b) * row_len;
                    trace.forget(state);
                    if moment == Moment::Before {
                        out.row(t).copy_from_slice(state);
                    }
                    trace.bump(state, &spikes[first..first + row_len]);
                    if moment == Moment::After {
                        out.row(t).copy_from_slice(state);
                    }
                }
            },
        );
    });
    Ok(())
}
