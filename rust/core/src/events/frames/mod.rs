//! Events to frames, in one pass: bits or counts, one row of cells for each step of time.
//!
//! Pixel `(x, y)` of polarity `p` is neuron `(p·H + y)·W + x` of a row; packed rows are those of
//! [`spikes`](crate::spikes). What vectors of a file say at once is ORed at once.
//!
//! | file | holds |
//! |---|---|
//! | `cell` | what a row is made of: bits or counts |
//! | `layout` | what frames are to be, and what became of events |
//! | `place` | which cell of which row an event is |
//! | `window` | which step an event belongs to |
//! | `filter` | which events count, and where and when |

mod cell;
mod filter;
mod layout;
mod place;
mod window;

pub use cell::Cell;
pub use filter::{Crop, Filter, Filters};
pub use layout::{Layout, Placed, Polarity};
pub use place::Within;
pub use window::Window;

use super::{Error, Event, Sink};
use alloc::vec::Vec;
use place::Place;

/// Frames that are being filled, in memory that grows with them or is the caller's.
#[derive(Clone, Debug)]
pub struct Frames<C> {
    place: Place,
    cells: Vec<C>,
}

impl<C: Cell> Frames<C> {
    /// Frames without events.
    ///
    /// # Errors
    /// [`Error::Option`] for windows of no length; [`Error::Limit`] if the steps that there are to be
    /// take more than the limit.
    pub fn new(layout: &Layout) -> Result<Self, Error> {
        Ok(Self {
            place: Place::new::<C>(layout)?,
            cells: Vec::new(),
        })
    }

    /// What became of events so far.
    #[must_use]
    pub fn placed(&self) -> Placed {
        self.place.placed
    }

    /// Cells of a step.
    #[must_use]
    pub fn row(&self) -> usize {
        self.place.row
    }

    /// How many steps there are, without those that were given away: as many as there are to be, or, if
    /// that is not said, those that have begun, or only those behind which another one has.
    #[must_use]
    pub fn steps(&self, incomplete: bool) -> usize {
        self.place.steps_left(incomplete)
    }

    /// The cells of so many of the first steps that are there.
    pub fn cells(&mut self, steps: usize) -> &[C] {
        let cells = steps.min(self.steps(true)) * self.place.row;
        // Steps without events have no cells yet.
        if self.cells.len() < cells {
            self.cells.resize(cells, C::default());
        }
        &self.cells[..cells]
    }

    /// Forgets so many of the first steps; events that come for them are early.
    pub fn give(&mut self, steps: usize) {
        let cells = steps.saturating_mul(self.place.row).min(self.cells.len());
        self.cells.drain(..cells);
        self.place.give(steps, cells);
    }

    /// Says that no event before this time is to come, so that steps that end by then are complete.
    ///
    /// # Errors
    /// [`Error::Limit`] if the steps until then take more than the limit.
    pub fn reach(&mut self, time: i64) -> Result<(), Error> {
        self.place.reach(time)
    }

    /// Why events could not be placed.
    ///
    /// # Errors
    /// [`Error::Limit`] if the steps up to an event take more than the limit.
    pub fn check(&self) -> Result<(), Error> {
        self.place.fault.clone().map_or(Ok(()), Err)
    }

    /// A sink that fills the caller's cells, which are those of all steps and zero at first.
    ///
    /// # Errors
    /// [`Error::Option`] if it is not said how many steps there are, or the cells are not theirs.
    pub fn within<'a>(&'a mut self, cells: &'a mut [C]) -> Result<Within<'a, C>, Error> {
        self.place.within(cells)
    }
}

impl<C: Cell> Sink for Frames<C> {
    #[inline]
    fn event(&mut self, event: Event) {
        self.place.event(&mut self.cells, event);
    }

    #[inline]
    fn run(&mut self, event: Event, mask: u32) {
        self.place.run(&mut self.cells, event, mask);
    }
}
