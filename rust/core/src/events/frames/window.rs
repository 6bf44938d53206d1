//! Which step an event belongs to.

use super::super::Error;
use alloc::borrow::ToOwned;

/// Which events a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Those of so many microseconds; there are so many steps, or as many as the events need.
    Time {
        /// Microseconds of a step.
        width: u64,
        /// How many steps there are.
        steps: Option<u64>,
    },
    /// Those of an equal part of a span of time: the event at `t` is of step `(t - start)·steps / span`,
    /// rounded down.
    Share {
        /// Microseconds of all steps.
        span: u64,
        /// How many steps there are.
        steps: u64,
    },
    /// So many, whenever they are.
    Events {
        /// Events of a step.
        count: u64,
        /// How many steps there are.
        steps: Option<u64>,
    },
}

impl Window {
    /// How many steps there are to be, if that is said.
    #[must_use]
    pub fn steps(self) -> Option<u64> {
        match self {
            Self::Time { steps, .. } | Self::Events { steps, .. } => steps,
            Self::Share { steps, .. } => Some(steps),
        }
    }
}

/// The present step, and the way to others.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    window: Window,
    start: Option<i64>,
    /// The first and the last time of the present step; none, if the first is later.
    now: (i64, i64),
    /// Events that the present step still takes.
    left: u64,
    /// The furthest step that has begun.
    furthest: Option<u64>,
    /// Steps of a number of events that were begun.
    begun: u64,
}

/// No time is of this step.
const NEVER: (i64, i64) = (1, 0);

impl Steps {
    pub(super) fn new(window: Window, start: Option<i64>) -> Result<Self, Error> {
        let length = match window {
            Window::Time { width, .. } => width,
            Window::Share { span, steps } => span.min(steps),
            Window::Events { count, .. } => count,
        };
        let expected = "at least 1".to_owned();
        match (length, window, start) {
            (0, ..) => Err(Error::Option {
                what: "the length of a window",
                expected,
            }),
            (_, Window::Share { .. }, None) => Err(Error::Option {
                what: "the start of a span",
                expected: "given".to_owned(),
            }),
            _ => Ok(Self {
                window,
                start,
                now: NEVER,
                left: 0,
                furthest: None,
                begun: 0,
            }),
        }
    }

    /// How many steps there are to be, if that is said.
    pub(super) fn count(&self) -> Option<u64> {
        self.window.steps()
    }

    /// Whether an event of this time is one of the present step.
    #[inline]
    pub(super) fn takes(&self, time: i64) -> bool {
        (self.now.0 <= time) & (time <= self.now.1) & (self.left != 0)
    }

    /// Whether a step has room for so many more events, now or once it has begun.
    #[inline]
    pub(super) fn has_room(&self, events: u32) -> bool {
        match self.window {
            Window::Events { .. } => self.left >= events.into(),
            _ => true,
        }
    }

    /// Counts events of the present step.
    #[inline]
    pub(super) fn taken(&mut self, events: u32) {
        self.left -= u64::from(events);
    }

    /// Ends the present step: the next event asks for its own.
    pub(super) fn close(&mut self) {
        (self.now, self.left) = (NEVER, 0);
    }

    /// The step of a time, or of an event that comes now; else whether it is behind the last step, and not
    /// before the first.
    pub(super) fn of(&self, time: i64) -> Result<u64, bool> {
        let start = self.start.unwrap_or(time);
        if time < start {
            return Err(false);
        }
        let since = time.wrapping_sub(start) as u64;
        let step = match self.window {
            Window::Time { width, .. } => since / width,
            Window::Share { span, steps } if since < span => {
                let step = u128::from(since) * u128::from(steps) / u128::from(span);
                step as u64
            }
            Window::Share { .. } => return Err(true),
            Window::Events { .. } => self.begun - u64::from(self.left != 0),
        };
        match self.count() {
            Some(count) if step >= count => Err(true),
            _ => Ok(step),
        }
    }

    /// Goes to a step, that of an event of this time.
    pub(super) fn enter(&mut self, step: u64, time: i64) {
        if let Window::Events { count, .. } = self.window {
            if self.left == 0 {
                (self.begun, self.left) = (step + 1, count);
                self.now = (self.start.unwrap_or(i64::MIN), i64::MAX);
            }
            return;
        }
        let start = *self.start.get_or_insert(time);
        let begin = |step: u64| match self.window {
            Window::Share { span, steps } => {
                let since = u128::from(step) * u128::from(span);
                since.div_ceil(steps.into())
            }
            Window::Time { width, .. } => u128::from(step) * u128::from(width),
            Window::Events { .. } => 0,
        };
        let at = |step| i64::try_from(i128::from(start) + begin(step) as i128);
        let first = at(step).unwrap_or(time);
        self.now = (first, at(step + 1).map_or(i64::MAX, |next| next - 1));
        self.left = u64::MAX;
        self.reach(step);
    }

    /// Says that a step has begun.
    pub(super) fn reach(&mut self, step: u64) {
        self.furthest = self.furthest.max(Some(step));
    }

    /// How many steps have begun; or, without the incomplete, ended: those in front of the furthest.
    pub(super) fn begun(&self, incomplete: bool) -> u64 {
        if let Some(count) = self.count() {
            return count;
        }
        match self.window {
            Window::Events { .. } => self.begun - u64::from(self.left != 0 && !incomplete),
            _ => match self.furthest {
                Some(step) => step + u64::from(incomplete),
                None => 0,
            },
        }
    }
}
