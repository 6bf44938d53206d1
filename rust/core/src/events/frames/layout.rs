//! What frames are to be, and what became of events.

use super::window::Window;

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
