//! Prophesee's EVT 3.0: words of 16 bits, little-endian, whose type is in the upper four. What does not
//! change is not said again: a reader keeps time, row, column and polarity.
//!
//! | type | holds |
//! |---|---|
//! | 0 | the row, bits 10–0 |
//! | 2 | an event: polarity in bit 11, column in bits 10–0 |
//! | 3 | polarity and column of the vectors that follow |
//! | 4, 5 | a vector: a bit for each of the next 12, or 8, columns |
//! | 6, 8 | bits 11–0, or 23–12, of the time |

use super::clock::Clock;
use super::coder::{Decode, Encode, whole};
use super::evt2::{COORDINATE, header, keep_time};
use super::{Error, Event, Format, Report, Sink};
use alloc::vec::Vec;

const ROW: u16 = 0;
const PIXEL: u16 = 2;
const BASE: u16 = 3;
const VECTOR_12: u16 = 4;
const VECTOR_8: u16 = 5;
const TIME_LOW: u16 = 6;
const TIME_HIGH: u16 = 8;
/// Bits of a time, and those of its lower part.
const BITS: u32 = 24;
const LOW: u32 = 12;
/// Columns that there can be.
const COLUMNS: u32 = 1 << COORDINATE;

/// Reads words.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    clock: Clock,
    high: i64,
    low: i64,
    row: Option<u16>,
    base: Option<u32>,
    polarity: bool,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock::new(BITS),
            high: 0,
            low: 0,
            row: None,
            base: None,
            polarity: false,
        }
    }

    /// An event of this column, once there are a time and a row.
    #[inline(always)]
    fn event(&self, x: u32, p: bool) -> Option<Event> {
        let y = self.row.filter(|_| self.clock.is_set())?;
        Some(Event {
            t: self.high | self.low,
            x: x as u16,
            y,
            p,
        })
    }

    #[inline(always)]
    fn vector(&mut self, mask: u32, width: u32, sink: &mut impl Sink, report: &mut Report) {
        let x = self.base.unwrap_or(0).min(COLUMNS);
        // Of the last columns, those that are there.
        let inside = mask & (1u64 << (COLUMNS - x).min(width)).wrapping_sub(1) as u32;
        match self.event(x, self.polarity) {
            Some(event) if self.base.is_some() => {
                sink.run(event, inside);
                report.events += u64::from(inside.count_ones());
                if mask != inside {
                    report.dropped += u64::from((mask ^ inside).count_ones());
                }
            }
            _ => report.dropped += u64::from(mask.count_ones()),
        }
        self.base = self.base.map(|_| x + width);
    }
}

impl Decode for Decoder {
    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error> {
        let (words, used) = whole::<2>(bytes);
        // A copy stays in registers.
        let mut state = self.clone();
        for &word in words {
            let word = u16::from_le_bytes(word);
            let x = u32::from(word & 0x7ff);
            let p = word >> COORDINATE & 1 == 1;
            match word >> 12 {
                ROW => state.row = Some(x as u16),
                PIXEL => match state.event(x, p) {
                    Some(event) => {
                        report.events += 1;
                        sink.event(event);
                    }
                    None => report.dropped += 1,
                },
                BASE => (state.base, state.polarity) = (Some(x), p),
                VECTOR_12 => state.vector((word & 0xfff).into(), 12, sink, report),
                VECTOR_8 => state.vector((word & 0xff).into(), 8, sink, report),
                TIME_LOW => state.low = (word & 0xfff).into(),
                TIME_HIGH => {
                    let high = state.clock.unwrap(u64::from(word & 0xfff) << LOW);
                    if high != state.high {
                        // The low bits are those of the time before.
                        (state.high, state.low) = (high, 0);
                    }
                }
                _ => report.ignored += 1,
            }
        }
        *self = state;
        Ok(used)
    }
}

/// Writes words.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    size: Option<(u16, u16)>,
    /// The high part of the time, the low part, and the row, as the reader knows them.
    high: Option<i64>,
    low: Option<i64>,
    row: Option<u16>,
    /// Where the next vector begins, and its polarity, as the reader knows them.
    next: Option<(u32, bool)>,
    /// Events of one vector that is not written yet.
    held: Option<(Event, u16)>,
}

impl Encoder {
    pub(super) fn new(size: Option<(u16, u16)>) -> Self {
        Self {
            size,
            high: None,
            low: None,
            row: None,
            next: None,
            held: None,
        }
    }
}

fn word(kind: u16, value: u16, out: &mut Vec<u8>) {
    out.extend((kind << 12 | value).to_le_bytes());
}

impl Encode for Encoder {
    const FORMAT: Format = Format::Evt3;

    fn limits(&self) -> [i64; 2] {
        [1 << COORDINATE; 2]
    }

    fn header(&self, out: &mut Vec<u8>) {
        header("3.0", "EVT3", self.size, out);
    }

    fn event(&mut self, at: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some((held, mask)) = &mut self.held {
            let column = event.x.wrapping_sub(held.x);
            let same = Event { x: held.x, ..event } == *held;
            if same && column < 12 && *mask < 1 << column {
                *mask |= 1 << column;
                return Ok(());
            }
        }
        self.flush(out)?;
        let before = self.high;
        let mut high = before;
        let kept = keep_time(&mut high, event, [BITS, LOW], |time| {
            word(TIME_HIGH, (time >> LOW) as u16 & 0xfff, out);
        });
        kept.map_err(|()| self.gap(at))?;
        if high != before {
            (self.high, self.low) = (high, None);
        }
        let low = event.t & 0xfff;
        if self.low != Some(low) {
            word(TIME_LOW, low as u16, out);
            self.low = Some(low);
        }
        if self.row != Some(event.y) {
            word(ROW, event.y, out);
            self.row = Some(event.y);
        }
        self.held = Some((event, 1));
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let Some((Event { x, p, .. }, mask)) = self.held.take() else {
            return Ok(());
        };
        let column = x | u16::from(p) << COORDINATE;
        if mask == 1 {
            word(PIXEL, column, out);
            return Ok(());
        }
        if self.next != Some((x.into(), p)) {
            word(BASE, column, out);
        }
        let (kind, width) = if mask < 1 << 8 {
            (VECTOR_8, 8)
        } else {
            (VECTOR_12, 12)
        };
        word(kind, mask, out);
        self.next = Some((u32::from(x) + width, p));
        Ok(())
    }
}
