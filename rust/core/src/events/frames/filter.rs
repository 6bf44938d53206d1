//! Which events count, and where and when: crops, noise, augmentation. All in one pass.

use super::super::{Error, Event, Sink};
use crate::spikes::{Stream, Uniforms};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// The first column, which becomes column 0.
    pub x: u16,
    /// The first row, which becomes row 0.
    pub y: u16,
    /// How many columns there are.
    pub width: u16,
    /// How many rows there are.
    pub height: u16,
}

/// One thing that is done with every event, in the order in which they are given.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// Drops events with a probability, by the numbers of a random stream, one for each event.
    Drop {
        /// The probability.
        probability: f32,
        /// Chooses the stream.
        seed: u64,
    },
    /// Moves times by up to so many microseconds, all whole numbers being equally likely.
    Jitter {
        /// The most microseconds, either way.
        time: u32,
        /// Chooses the stream of random numbers.
        seed: u64,
    },
    /// Keeps a rectangle.
    Crop(Crop),
    /// Drops events of some pixels, whose rows of this filter's width and height are one behind another.
    Mask(Vec<bool>),
    /// Drops events of a pixel that come less than so many microseconds after the last one it kept.
    Refractory(u64),
    /// Drops events without one of the eight pixels around in the last so many microseconds (Delbruck,
    /// "Frame-free dynamic digital vision", 2008).
    Background(u64),
    /// Makes squares of so many pixels one.
    Downsample(u16),
}

/// Filters, one behind another.
#[derive(Clone, Debug)]
pub struct Filters {
    /// Width and height in front of all filters, and behind them.
    sensor: (u16, u16),
    size: (u16, u16),
    stages: Vec<Stage>,
    dropped: u64,
}

/// A filter with what it remembers.
#[derive(Clone, Debug)]
enum Stage {
    Drop(f32, Box<Uniforms>),
    Jitter(u32, Box<Uniforms>),
    Crop(Crop),
    Mask(Map<bool>),
    Refractory(u64, Map<Option<i64>>),
    Background(u64, Map<Option<i64>>),
    Downsample(u16),
}

/// A value for each pixel.
#[derive(Clone, Debug)]
struct Map<T> {
    width: usize,
    height: usize,
    values: Vec<T>,
}

impl<T: Clone> Map<T> {
    fn at(&mut self, event: Event) -> &mut T {
        &mut self.values[usize::from(event.y) * self.width + usize::from(event.x)]
    }
}

impl Map<Option<i64>> {
    /// The latest time of the eight pixels around.
    fn around(&self, event: Event) -> Option<i64> {
        let [x, y] = [event.x, event.y].map(usize::from);
        let columns = x.saturating_sub(1)..(x + 2).min(self.width);
        let rows = y.saturating_sub(1)..(y + 2).min(self.height);
        let pixels = rows.flat_map(|row| columns.clone().map(move |column| (row, column)));
        let others = pixels.filter(|pixel| *pixel != (y, x));
        others
            .filter_map(|(row, column)| self.values[row * self.width + column])
            .max()
    }
}

/// Whether a time is less than so long after another one, or before it.
fn is_within(length: u64, last: i64, time: i64) -> bool {
    i128::from(time) - i128::from(last) < i128::from(length)
}

impl Filters {
    /// Filters for a sensor of this width and height; maps of pixels may take so many bytes.
    ///
    /// # Errors
    /// [`Error::Option`] for a crop or a mask that does not fit, a probability outside 0 to 1, or squares of
    /// no pixels; [`Error::Limit`] for maps that are too large.
    pub fn new(filters: &[Filter], size: (u16, u16), limit: usize) -> Result<Self, Error> {
        let (sensor, mut size, mut stages) = (size, size, Vec::new());
        let refused = |what, expected: &str| {
            let expected = expected.to_owned();
            Err(Error::Option { what, expected })
        };
        for filter in filters {
            let [width, height] = [size.0, size.1].map(usize::from);
            let times = || {
                let bytes = width * height * size_of::<Option<i64>>();
                if bytes > limit {
                    return Err(Error::Limit {
                        what: "the times of all pixels",
                        bytes: bytes as u64,
                        limit: limit as u64,
                    });
                }
                let values = vec![None; width * height];
                Ok(Map {
                    width,
                    height,
                    values,
                })
            };
            let stream = |seed| Box::new(Uniforms::new(Stream { seed, first: 0 }));
            stages.push(match filter {
                Filter::Drop { probability, seed } => {
                    if !(0.0..=1.0).contains(probability) {
                        return refused("the probability to drop an event", "from 0 to 1");
                    }
                    Stage::Drop(*probability, stream(*seed))
                }
                Filter::Jitter { time, seed } => Stage::Jitter(*time, stream(*seed)),
                Filter::Crop(crop) => {
                    let ends = [(crop.x, crop.width, size.0), (crop.y, crop.height, size.1)];
                    let fits = |(first, count, all): (u16, u16, u16)| {
                        count > 0 && u32::from(first) + u32::from(count) <= all.into()
                    };
                    if !ends.into_iter().all(fits) {
                        return refused("a crop", "a rectangle of pixels of the sensor");
                    }
                    size = (crop.width, crop.height);
                    Stage::Crop(*crop)
                }
                Filter::Mask(pixels) => {
                    if pixels.len() != width * height {
                        return refused("a mask", "one value for each pixel");
                    }
                    let values = pixels.clone();
                    Stage::Mask(Map {
                        width,
                        height,
                        values,
                    })
                }
                Filter::Refractory(length) => Stage::Refractory(*length, times()?),
                Filter::Background(length) => Stage::Background(*length, times()?),
                Filter::Downsample(0) => return refused("the side of a square", "at least 1"),
                Filter::Downsample(side) => {
                    size = (size.0.div_ceil(*side), size.1.div_ceil(*side));
                    Stage::Downsample(*side)
                }
            });
        }
        Ok(Self {
            sensor,
            size,
            stages,
            dropped: 0,
        })
    }

    /// Width and height behind all filters.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Events that the filters have dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// An event behind all filters, if it is still there.
    fn pass(&mut self, mut event: Event) -> Option<Event> {
        for stage in &mut self.stages {
            match stage {
                Stage::Drop(probability, uniforms) => {
                    if uniforms.take(1)[0] < *probability {
                        return None;
                    }
                }
                Stage::Jitter(most, uniforms) => {
                    let values = 2.0 * f64::from(*most) + 1.0;
                    let step = (f64::from(uniforms.take(1)[0]) * values) as i64;
                    event.t = event.t.saturating_add(step - i64::from(*most));
                }
                Stage::Crop(crop) => {
                    let x = event.x.checked_sub(crop.x).filter(|x| *x < crop.width)?;
                    let y = event.y.checked_sub(crop.y).filter(|y| *y < crop.height)?;
                    event = Event { x, y, ..event };
                }
                Stage::Mask(map) => {
                    if *map.at(event) {
                        return None;
                    }
                }
                Stage::Refractory(length, map) => {
                    let last = map.at(event);
                    if last.is_some_and(|last| is_within(*length, last, event.t)) {
                        return None;
                    }
                    *last = Some(event.t);
                }
                Stage::Background(length, map) => {
                    let around = map.around(event);
                    *map.at(event) = Some(event.t);
                    if !around.is_some_and(|last| is_within(*length, last, event.t)) {
                        return None;
                    }
                }
                Stage::Downsample(side) => {
                    (event.x, event.y) = (event.x / *side, event.y / *side);
                }
            }
        }
        Some(event)
    }

    /// A sink that gives what passes to another one. An event of no pixel goes on as one, so that it is
    /// counted there.
    pub fn before<'a, S: Sink>(&'a mut self, sink: &'a mut S) -> impl Sink + use<'a, S> {
        Filtered {
            filters: self,
            sink,
        }
    }
}

/// A sink behind filters.
struct Filtered<'a, S> {
    filters: &'a mut Filters,
    sink: &'a mut S,
}

impl<S: Sink> Sink for Filtered<'_, S> {
    fn event(&mut self, event: Event) {
        let (width, height) = self.filters.sensor;
        if event.x >= width || event.y >= height {
            let (x, y) = (u16::MAX, u16::MAX);
            self.sink.event(Event { x, y, ..event });
            return;
        }
        match self.filters.pass(event) {
            Some(event) => self.sink.event(event),
            None => self.filters.dropped += 1,
        }
    }
}
