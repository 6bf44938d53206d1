//! Events with times, grouped into steps.

use super::{Error, Input, Network, Output, State};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

/// Events of the step that is being filled: [`Network::binner`] makes it.
#[derive(Clone, Debug)]
pub struct Binner {
    /// Microseconds of a step.
    period: u64,
    /// Where the present step ends.
    end: u64,
    events: Vec<u32>,
}

impl Network {
    /// Groups events into steps of `dt`, the first of which begins at this time in microseconds.
    ///
    /// # Errors
    /// If `dt` is no whole number of microseconds.
    pub fn binner(&self, start: u64) -> Result<Binner, Error> {
        let micros = self.dt() * 1e6;
        let period = (micros + 0.5) as u64;
        let end = start.checked_add(period);
        match end.filter(|_| period > 0 && (micros - period as f64).abs() <= 1e-6 * micros) {
            Some(end) => Ok(Binner {
                period,
                end,
                events: Vec::new(),
            }),
            None => Err(Error::Input {
                problem: format!("cannot be grouped into steps of {micros} microseconds"),
            }),
        }
    }

    /// Adds an event, numbered as in [`Input::Events`], at a time in microseconds. Steps that end before
    /// it are run first, and `visit` sees the output of each.
    ///
    /// # Errors
    /// If the event comes before the present step, or is no input.
    pub fn push(
        &self,
        state: &mut State,
        binner: &mut Binner,
        time: u64,
        event: u32,
        mut visit: impl FnMut(Output<'_>),
    ) -> Result<(), Error> {
        let refused = |problem| Err(Error::Input { problem });
        let start = binner.end - binner.period;
        if time < start {
            return refused(format!("has an event at {time}, before {start}"));
        }
        let limit = self.inputs() * state.samples();
        if event as usize >= limit {
            return refused(format!("has event {event}, outside 0..{limit}"));
        }
        while time >= binner.end {
            visit(self.flush(state, binner)?);
        }
        binner.events.push(event);
        Ok(())
    }

    /// Runs the step that is being filled, though more events of it may come.
    ///
    /// # Errors
    /// As [`step`](Self::step), or if time has come to its end.
    pub fn flush<'a>(
        &'a self,
        state: &'a mut State,
        binner: &mut Binner,
    ) -> Result<Output<'a>, Error> {
        let end = binner.end.checked_add(binner.period);
        let end = end.ok_or_else(|| Error::Input {
            problem: "has an event at a time that is too late".to_owned(),
        })?;
        let output = self.step(state, Input::Events(&binner.events))?;
        binner.end = end;
        binner.events.clear();
        Ok(output)
    }
}
