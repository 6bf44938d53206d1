//! Which cell of which row an event is.

use super::super::{Error, Event, Sink};
use super::window::Steps;
use super::{Cell, Layout, Placed, Polarity};
use alloc::borrow::ToOwned;
use alloc::vec::Vec;

/// Where events go.
#[derive(Clone, Debug)]
pub(super) struct Place {
    size: (u16, u16),
    /// The first neuron of each polarity; `None` if it does not count.
    planes: [Option<usize>; 2],
    /// Cells of a row, and their bytes.
    pub(super) row: usize,
    bytes: usize,
    steps: Steps,
    /// Steps that were given away.
    given: u64,
    /// Where the present step lies in the cells that are left.
    at: usize,
    limit: usize,
    pub(super) placed: Placed,
    pub(super) fault: Option<Error>,
}

/// Cells that may grow, or not.
pub(super) trait Room<C>: AsMut<[C]> {
    /// Makes room for so many cells.
    fn grow(&mut self, cells: usize);
}

impl<C: Cell> Room<C> for Vec<C> {
    fn grow(&mut self, cells: usize) {
        if self.len() < cells {
            self.resize(cells, C::default());
        }
    }
}

impl<C: Cell> Room<C> for &mut [C] {
    fn grow(&mut self, _: usize) {}
}

impl Place {
    pub(super) fn new<C: Cell>(layout: &Layout) -> Result<Self, Error> {
        let pixels = usize::from(layout.size.0) * usize::from(layout.size.1);
        let (planes, count) = match layout.polarity {
            Polarity::Both => ([Some(0), Some(pixels)], 2),
            Polarity::Merge => ([Some(0); 2], 1),
            Polarity::On => ([None, Some(0)], 1),
        };
        let row = C::row(pixels * count);
        let place = Self {
            size: layout.size,
            planes,
            row,
            bytes: row * size_of::<C>(),
            steps: Steps::new(layout.window, layout.start)?,
            given: 0,
            at: 0,
            limit: layout.limit,
            placed: Placed::default(),
            fault: None,
        };
        place.check_room(place.steps.count().unwrap_or(0))?;
        Ok(place)
    }

    pub(super) fn steps_left(&self, incomplete: bool) -> usize {
        let left = self.steps.begun(incomplete).saturating_sub(self.given);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    pub(super) fn give(&mut self, steps: usize, cells: usize) {
        self.given += steps as u64;
        match self.at.checked_sub(cells) {
            Some(at) => self.at = at,
            None => self.steps.close(),
        }
    }

    pub(super) fn reach(&mut self, time: i64) -> Result<(), Error> {
        let Ok(step) = self.steps.of(time) else {
            return Ok(());
        };
        if let Some(place) = step.checked_sub(self.given) {
            self.check_room(place + 1)?;
        }
        self.steps.reach(step);
        Ok(())
    }

    /// Refuses more steps than the limit allows.
    fn check_room(&self, steps: u64) -> Result<(), Error> {
        let bytes = u128::from(steps) * self.bytes as u128;
        if bytes <= self.limit as u128 {
            return Ok(());
        }
        Err(Error::Limit {
            what: "frames",
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            limit: self.limit as u64,
        })
    }

    /// Goes to the step of so many events of one time; says whether there is one.
    #[cold]
    fn turn<C>(&mut self, cells: &mut impl Room<C>, time: i64, events: u32) -> bool {
        let found = self.steps.of(time).and_then(|step| {
            let place = step.checked_sub(self.given);
            place.map(|place| (step, place)).ok_or(false)
        });
        match found {
            Ok((step, place)) => match self.check_room(place + 1) {
                Ok(()) => {
                    self.at = place as usize * self.row;
                    cells.grow(self.at + self.row);
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

    #[inline]
    pub(super) fn event<C: Cell>(&mut self, cells: &mut impl Room<C>, Event { t, x, y, p }: Event) {
        let Some(plane) = self.planes[usize::from(p)] else {
            return;
        };
        let (width, height) = self.size;
        if x >= width || y >= height {
            self.placed.outside += 1;
            return;
        }
        if !self.steps.takes(t) && !self.turn(cells, t, 1) {
            return;
        }
        self.steps.taken(1);
        let neuron = plane + usize::from(y) * usize::from(width) + usize::from(x);
        let row = &mut cells.as_mut()[self.at..self.at + self.row];
        self.placed.events += 1;
        self.placed.collisions += u64::from(C::add(row, neuron));
    }

    #[inline]
    pub(super) fn run<C: Cell>(&mut self, cells: &mut impl Room<C>, event: Event, mask: u32) {
        let Event { t, x, y, p } = event;
        let (width, height) = self.size;
        let Some(plane) = self.planes[usize::from(p)] else {
            return;
        };
        let columns = 32 - mask.leading_zeros();
        let is_inside = u32::from(x) + columns <= u32::from(width) && y < height;
        let count = mask.count_ones();
        if !is_inside || !self.steps.has_room(count) {
            // One by one: some may be of no pixel, or of the next step.
            let mut left = mask;
            while left != 0 {
                let x = x.saturating_add(left.trailing_zeros() as u16);
                self.event(cells, Event { x, ..event });
                left &= left - 1;
            }
            return;
        }
        if mask == 0 || (!self.steps.takes(t) && !self.turn(cells, t, count)) {
            return;
        }
        self.steps.taken(count);
        let neuron = plane + usize::from(y) * usize::from(width) + usize::from(x);
        let row = &mut cells.as_mut()[self.at..self.at + self.row];
        self.placed.events += u64::from(count);
        self.placed.collisions += u64::from(C::add_run(row, neuron, mask));
    }

    pub(super) fn within<'a, C: Cell>(
        &'a mut self,
        cells: &'a mut [C],
    ) -> Result<Within<'a, C>, Error> {
        let expected = self.steps.count().unwrap_or(0) as usize * self.row;
        if self.steps.count().is_none() || self.given != 0 || cells.len() != expected {
            let expected = "those of all steps".to_owned();
            let what = "the cells to fill";
            return Err(Error::Option { what, expected });
        }
        Ok(Within { place: self, cells })
    }
}

/// Frames that are being filled in the memory of a caller: see [`Frames::within`](super::Frames::within).
#[derive(Debug)]
pub struct Within<'a, C> {
    place: &'a mut Place,
    cells: &'a mut [C],
}

impl<C: Cell> Sink for Within<'_, C> {
    #[inline]
    fn event(&mut self, event: Event) {
        self.place.event(&mut self.cells, event);
    }

    #[inline]
    fn run(&mut self, event: Event, mask: u32) {
        self.place.run(&mut self.cells, event, mask);
    }
}
