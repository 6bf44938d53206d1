//! Events, one by one and as columns, and what takes them.

use super::Error;
use alloc::vec::Vec;

/// One event of a camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// When, in microseconds.
    pub t: i64,
    /// The column of the pixel.
    pub x: u16,
    /// Its row.
    pub y: u16,
    /// Whether it became brighter: ON.
    pub p: bool,
}

/// What decoders give their events to.
pub trait Sink {
    /// Takes an event.
    fn event(&mut self, event: Event);

    /// Takes the events of one row, time and polarity whose columns are `x + i` for each bit `i` of the
    /// mask. No column exceeds `u16`.
    #[inline]
    fn run(&mut self, Event { t, x, y, p }: Event, mask: u32) {
        let mut left = mask;
        while left != 0 {
            let x = x + left.trailing_zeros() as u16;
            self.event(Event { t, x, y, p });
            left &= left - 1;
        }
    }
}

/// Events as columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Times in microseconds.
    pub t: Vec<i64>,
    /// Columns of pixels.
    pub x: Vec<u16>,
    /// Rows of pixels.
    pub y: Vec<u16>,
    /// Polarities.
    pub p: Vec<bool>,
}

/// Columns of events that lie elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Times in microseconds.
    pub t: &'a [i64],
    /// Columns of pixels.
    pub x: &'a [u16],
    /// Rows of pixels.
    pub y: &'a [u16],
    /// Polarities: 0 is OFF.
    pub p: &'a [bool],
}

impl Events {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.t.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.t.is_empty()
    }

    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.t.clear();
        self.x.clear();
        self.y.clear();
        self.p.clear();
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> Columns<'_> {
        Columns {
            t: &self.t,
            x: &self.x,
            y: &self.y,
            p: &self.p,
        }
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let mut columns = Self::default();
        events.into_iter().for_each(|event| columns.event(event));
        columns
    }
}

impl Sink for Events {
    #[inline]
    fn event(&mut self, event: Event) {
        self.t.push(event.t);
        self.x.push(event.x);
        self.y.push(event.y);
        self.p.push(event.p);
    }
}

impl<'a> Columns<'a> {
    /// The events, one by one.
    ///
    /// # Errors
    /// [`Error::Length`] if the columns differ in length.
    pub fn iter(self) -> Result<impl Iterator<Item = Event> + use<'a>, Error> {
        let expected = self.t.len();
        for (what, found) in [
            ("x", self.x.len()),
            ("y", self.y.len()),
            ("p", self.p.len()),
        ] {
            if found != expected {
                return Err(Error::Length {
                    what,
                    found,
                    expected,
                });
            }
        }
        let rest = self.x.iter().zip(self.y).zip(self.p);
        let events = self.t.iter().zip(rest);
        Ok(events.map(|(&t, ((&x, &y), &p))| Event { t, x, y, p }))
    }
}

/// The first and the last time of events, and how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The earliest and the latest time; `None` without events.
    pub times: Option<(i64, i64)>,
    /// How many events there are.
    pub events: u64,
}

impl Sink for Span {
    #[inline]
    fn event(&mut self, event: Event) {
        self.run(event, 1);
    }

    #[inline]
    fn run(&mut self, event: Event, mask: u32) {
        if mask == 0 {
            return;
        }
        let (first, last) = self.times.get_or_insert((event.t, event.t));
        // Nearly always neither.
        if event.t < *first {
            *first = event.t;
        } else if event.t > *last {
            *last = event.t;
        }
        self.events += u64::from(mask.count_ones());
    }
}
