//! Events to frames, in one pass: bits or counts, one row of cells for each step of time.
//!
//! Pixel `(x, y)` of polarity `p` is neuron `(p·H + y)·W + x` of a row; packed rows are those of
//! [`spikes`](crate::spikes). What vectors of a file say at once is ORed at once.
//!
//! | file | holds |
//! |---|---|
//! | `cell` | what a row is made of: bits or counts |
//! | `window` | which step an event belongs to |
//! | `filter` | which events count, and where and when |

mod cell;
mod filter;
mod window;

pub use cell::Cell;
pub use filter::{Crop, Filter, Filters};
pub use window::Window;

use super::{Error, Event, Sink};
use alloc::vec::Vec;
use window::Steps;

/// What becomes of the two polarities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Polarity {
    /// Two planes: OFF, then ON.
    #[default]
    Both,
    /// One plane of all events.
    Merge,
    /// One plane of ON events; OFF events do not count.
    On,
}

/// What frames are to be.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Width and height in pixels, behind all filters.
    pub size: (u16, u16),
    /// What becomes of polarities.
    pub polarity: Polarity,
    /// Which events a step takes.
    pub window: Window,
    /// When the first step begins; by default with the first event.
    pub start: Option<i64>,
    /// The most bytes that the frames may take.
    pub limit: usize,
}

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Events in frames.
    pub events: u64,
    /// Of these, those whose bit was set already, or whose count was at its end.
    pub collisions: u64,
    /// Events of no pixel.
    pub outside: u64,
    /// Events before the first step, or of steps that were given away.
    pub early: u64,
    /// Events behind the last step.
    pub late: u64,
}

/// Frames that are being filled.
#[derive(Clone, Debug)]
pub struct Frames<C> {
    size: (u16, u16),
    /// The first neuron of each polarity; `None` if it does not count.
    planes: [Option<usize>; 2],
    /// Cells of a row.
    row: usize,
    steps: Steps,
    cells: Vec<C>,
    /// Steps that were given away, in front of those in `cells`.
    given: u64,
    /// Where the present step lies in `cells`.
    at: usize,
    limit: usize,
    placed: Placed,
    fault: Option<Error>,
}

impl<C: Cell> Frames<C> {
    /// Frames without events.
    ///
    /// # Errors
    /// [`Error::Option`] for windows of no length; [`Error::Limit`] if the steps that there are to be
    /// take more than the limit.
    pub fn new(layout: &Layout) -> Result<Self, Error> {
        let pixels = usize::from(layout.size.0) * usize::from(layout.size.1);
        let (planes, count) = match layout.polarity {
            Polarity::Both => ([Some(0), Some(pixels)], 2),
            Polarity::Merge => ([Some(0); 2], 1),
            Polarity::On => ([None, Some(0)], 1),
        };
        let steps = Steps::new(layout.window, layout.start)?;
        let mut frames = Self {
            size: layout.size,
            planes,
            row: C::row(pixels * count),
            cells: Vec::new(),
            given: 0,
            at: 0,
            limit: layout.limit,
            placed: Placed::default(),
            fault: None,
            steps,
        };
        if let Some(count) = frames.steps.count() {
            frames.grow(count)?;
        }
        Ok(frames)
    }

    /// What became of events so far.
    #[must_use]
    pub fn placed(&self) -> Placed {
        self.placed
    }

    /// Cells of a step.
    #[must_use]
    pub fn row(&self) -> usize {
        self.row
    }

    /// How many steps there are, without those that were given away. Those at the end that may get more
    /// events, because the recording has not reached their end, count if `incomplete` says so.
    #[must_use]
    pub fn steps(&self, incomplete: bool) -> usize {
        let begun = self.steps.begun(incomplete);
        usize::try_from(begun.saturating_sub(self.given)).unwrap_or(usize::MAX)
    }

    /// The cells of so many of the first steps that are there.
    #[must_use]
    pub fn cells(&self, steps: usize) -> &[C] {
        let end = steps.saturating_mul(self.row).min(self.cells.len());
        &self.cells[..end]
    }

    /// Forgets so many of the first steps; events that come for them are early.
    pub fn give(&mut self, steps: usize) {
        let end = steps.saturating_mul(self.row).min(self.cells.len());
        self.cells.drain(..end);
        self.given += steps as u64;
        match self.at.checked_sub(end) {
            Some(at) => self.at = at,
            None => self.steps.close(),
        }
    }

    /// Says that no event before this time is to come, so that steps that end by then are complete.
    ///
    /// # Errors
    /// [`Error::Limit`] if the steps until then take more than the limit.
    pub fn reach(&mut self, time: i64) -> Result<(), Error> {
        let Ok(step) = self.steps.of(time) else {
            return Ok(());
        };
        // Steps of a number of events know no times.
        if let Some(place) = step.checked_sub(self.given) {
            self.grow(place + 1)?;
        }
        self.steps.reach(step);
        Ok(())
    }

    /// Why events could not be placed.
    ///
    /// # Errors
    /// [`Error::Limit`] if the steps up to an event take more than the limit.
    pub fn check(&self) -> Result<(), Error> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    /// Makes room for so many steps.
    fn grow(&mut self, steps: u64) -> Result<(), Error> {
        let bytes = u128::from(steps) * (self.row * size_of::<C>()) as u128;
        if bytes > self.limit as u128 {
            return Err(Error::Limit {
                what: "frames",
                bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
                limit: self.limit as u64,
            });
        }
        let cells = steps as usize * self.row;
        if cells > self.cells.len() {
            self.cells.resize(cells, C::default());
        }
        Ok(())
    }

    /// Goes to the step of so many events of one time; says whether there is one.
    #[cold]
    fn turn(&mut self, time: i64, events: u32) -> bool {
        let found = self.steps.of(time).and_then(|step| {
            let place = step.checked_sub(self.given);
            place.map(|place| (step, place)).ok_or(false)
        });
        match found {
            Ok((step, place)) => match self.grow(place + 1) {
                Ok(()) => {
                    self.at = place as usize * self.row;
                    self.steps.enter(step, time);
                    return true;
                }
                Err(fault) => drop(self.fault.get_or_insert(fault)),
            },
            Err(true) => self.placed.late += u64::from(events),
            Err(false) => self.placed.early += u64::from(events),
        }
        false
    }
}

impl<C: Cell> Sink for Frames<C> {
    #[inline]
    fn event(&mut self, Event { t, x, y, p }: Event) {
        let Some(plane) = self.planes[usize::from(p)] else {
            return;
        };
        let (width, height) = self.size;
        if x >= width || y >= height {
            self.placed.outside += 1;
            return;
        }
        if !self.steps.takes(t) && !self.turn(t, 1) {
            return;
        }
        self.steps.taken(1);
        let neuron = plane + usize::from(y) * usize::from(width) + usize::from(x);
        let row = &mut self.cells[self.at..self.at + self.row];
        self.placed.events += 1;
        self.placed.collisions += u64::from(C::add(row, neuron));
    }

    #[inline]
    fn run(&mut self, event: Event, mask: u32) {
        let Event { t, x, y, p } = event;
        let (width, height) = self.size;
        let Some(plane) = self.planes[usize::from(p)] else {
            return;
        };
        let beyond = 32 - mask.leading_zeros();
        let is_inside = u32::from(x) + beyond <= u32::from(width) && y < height;
        let count = mask.count_ones();
        if !is_inside || !self.steps.has_room(count) {
            // One by one: some may be of no pixel, or of the next step.
            let mut left = mask;
            while left != 0 {
                let x = x.saturating_add(left.trailing_zeros() as u16);
                self.event(Event { x, ..event });
                left &= left - 1;
            }
            return;
        }
        if mask == 0 {
            return;
        }
        if !self.steps.takes(t) && !self.turn(t, count) {
            return;
        }
        self.steps.taken(count);
        let neuron = plane + usize::from(y) * usize::from(width) + usize::from(x);
        let row = &mut self.cells[self.at..self.at + self.row];
        self.placed.events += u64::from(count);
        self.placed.collisions += u64::from(C::add_run(row, neuron, mask));
    }
}
