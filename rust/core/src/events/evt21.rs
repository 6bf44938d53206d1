//! Prophesee's EVT 2.1: words of 64 bits whose type is in the upper four. An event is a mask of 32
//! pixels of a row.
//!
//! | type | bits 59–54 | 53–43 | 42–32 | 31–0 |
//! |---|---|---|---|---|
//! | 0, 1: OFF, ON | low bits of the time | `x`, a multiple of 32 | `y` | a bit for each of `x`, `x + 1`, … |
//! | 8: time | bits 33–6 of the time in 59–32 | | | |
//!
//! Words are little-endian; some sensors write the high half of a word first, which their files call
//! `endianness=legacy`.

use super::clock::Clock;
use super::coder::{Decode, Encode, whole};
use super::evt2::{
    BITS, COORDINATE, LOW, OFF, ON, TIME_HIGH, event_of, header, high_of, keep_time, word_of,
    word_of_high,
};
use super::header::Lines;
use super::{Error, Event, Format, Report, Sink};
use alloc::vec::Vec;

/// Pixels of a mask.
const PIXELS: u16 = 32;

/// Reads words.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    clock: Clock,
    high: i64,
    high_first: bool,
}

impl Decoder {
    pub(super) fn new(high_first: bool) -> Self {
        Self {
            clock: Clock::new(BITS),
            high: 0,
            high_first,
        }
    }
}

/// Whether the high halves of words come first, as far as a header says so.
pub(super) fn is_high_first(lines: &Lines) -> bool {
    match lines.field("endianness") {
        Some(order) => order == "legacy",
        // The sensors of that order, by the names of their plugins.
        None => lines.texts.iter().any(|line| {
            let line = line.to_ascii_lowercase();
            ["imx636", "imx646", "gen41"]
                .iter()
                .any(|sensor| line.contains(sensor))
        }),
    }
}

impl Decode for Decoder {
    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error> {
        let (words, used) = whole::<8>(bytes);
        for &[a, b, c, d, e, f, g, h] in words {
            let halves = [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes);
            let [mask, head] = if self.high_first {
                [halves[1], halves[0]]
            } else {
                halves
            };
            match head >> 28 {
                OFF | ON if self.clock.is_set() => {
                    report.events += u64::from(mask.count_ones());
                    sink.run(event_of(head, self.high), mask);
                }
                OFF | ON => report.dropped += u64::from(mask.count_ones()),
                TIME_HIGH => self.high = self.clock.unwrap(high_of(head)),
                _ => report.ignored += 1,
            }
        }
        Ok(used)
    }
}

/// Writes words.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    size: Option<(u16, u16)>,
    high_first: bool,
    /// The time of the last word that said one.
    time: Option<i64>,
    /// Events of one word that is not written yet, with the first `x` of its pixels.
    held: Option<(Event, u32)>,
}

impl Encoder {
    pub(super) fn new(size: Option<(u16, u16)>, high_first: bool) -> Self {
        Self {
            size,
            high_first,
            time: None,
            held: None,
        }
    }

    fn word(high_first: bool, head: u32, mask: u32, out: &mut Vec<u8>) {
        let halves = if high_first {
            [head, mask]
        } else {
            [mask, head]
        };
        out.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
    }
}

impl Encode for Encoder {
    const FORMAT: Format = Format::Evt21;

    fn limits(&self) -> [i64; 2] {
        [1 << COORDINATE; 2]
    }

    fn header(&self, out: &mut Vec<u8>) {
        let legacy = if self.high_first {
            "EVT21;endianness=legacy"
        } else {
            "EVT21"
        };
        header("2.1", legacy, self.size.or(Some((2048, 2048))), out);
    }

    fn event(&mut self, at: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error> {
        let first = Event {
            x: event.x / PIXELS * PIXELS,
            ..event
        };
        let bit = 1 << (event.x % PIXELS);
        // Bits are read from the lowest, so that only ascending columns keep their order.
        if let Some((held, mask)) = &mut self.held
            && *held == first
            && *mask < bit
        {
            *mask |= bit;
            return Ok(());
        }
        self.flush(out)?;
        let high_first = self.high_first;
        let kept = keep_time(&mut self.time, event, [BITS, LOW], |time| {
            Self::word(high_first, word_of_high(time), 0, out);
        });
        kept.map_err(|()| self.gap(at))?;
        self.held = Some((first, bit));
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some((event, mask)) = self.held.take() {
            Self::word(self.high_first, word_of(event), mask, out);
        }
        Ok(())
    }
}
