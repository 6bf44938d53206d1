//! Prophesee's EVT 2.0: words of 32 bits, little-endian, whose type is in the upper four.
//!
//! | type | bits 27–22 | 21–11 | 10–0 |
//! |---|---|---|---|
//! | 0, 1: OFF, ON | low bits of the time | `x` | `y` |
//! | 8: time | bits 33–6 of the time | | |

use super::clock::Clock;
use super::coder::{Decode, Encode, bridge, whole};
use super::{Error, Event, Format, Report, Sink};
use alloc::format;
use alloc::vec::Vec;

pub(super) const OFF: u32 = 0;
pub(super) const ON: u32 = 1;
pub(super) const TIME_HIGH: u32 = 8;
/// Bits of a time, and those that an event itself holds.
pub(super) const BITS: u32 = 34;
pub(super) const LOW: u32 = 6;
/// Bits of a coordinate.
pub(super) const COORDINATE: u32 = 11;

/// The event of a word, behind the high bits of its time.
#[inline(always)]
pub(super) fn event_of(word: u32, high: i64) -> Event {
    Event {
        t: high | i64::from(word >> 22 & 0x3f),
        x: (word >> COORDINATE & 0x7ff) as u16,
        y: (word & 0x7ff) as u16,
        p: word >> 28 == ON,
    }
}

/// The word of an event.
pub(super) fn word_of(Event { t, x, y, p }: Event) -> u32 {
    let kind = if p { ON } else { OFF };
    kind << 28 | ((t & 0x3f) as u32) << 22 | u32::from(x) << COORDINATE | u32::from(y)
}

/// The time whose high bits a word says, as far as it has room for them.
#[inline(always)]
pub(super) fn high_of(word: u32) -> u64 {
    u64::from(word & 0xfff_ffff) << LOW
}

/// The word that says the high bits of a time.
pub(super) fn word_of_high(time: i64) -> u32 {
    TIME_HIGH << 28 | (time >> LOW) as u32 & 0xfff_ffff
}

/// Reads words.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    clock: Clock,
    high: i64,
}

impl Decoder {
    pub(super) fn new() -> Self {
        let clock = Clock::new(BITS);
        Self { clock, high: 0 }
    }
}

impl Decode for Decoder {
    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error> {
        let (words, used) = whole::<4>(bytes);
        for &word in words {
            let word = u32::from_le_bytes(word);
            match word >> 28 {
                OFF | ON if self.clock.is_set() => {
                    report.events += 1;
                    sink.event(event_of(word, self.high));
                }
                OFF | ON => report.dropped += 1,
                TIME_HIGH => self.high = self.clock.unwrap(high_of(word)),
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
    /// The time of the last word that said one.
    time: Option<i64>,
}

impl Encoder {
    pub(super) fn new(size: Option<(u16, u16)>) -> Self {
        Self { size, time: None }
    }
}

/// The header of a format of Prophesee.
pub(super) fn header(version: &str, name: &str, size: Option<(u16, u16)>, out: &mut Vec<u8>) {
    out.extend(format!("% evt {version}\n").bytes());
    if let Some((width, height)) = size {
        let lines =
            format!("% format {name};height={height};width={width}\n% geometry {width}x{height}\n");
        out.extend(lines.bytes());
    }
    out.extend(b"% end\n");
}

/// Says the time in front of an event, and in a long silence often enough. `say` writes the time.
pub(super) fn keep_time(
    last: &mut Option<i64>,
    event: Event,
    [bits, low]: [u32; 2],
    mut say: impl FnMut(i64),
) -> Result<(), ()> {
    let time = event.t >> low << low;
    if *last == Some(time) {
        return Ok(());
    }
    if last.is_none() && time > 0 {
        say(0);
    }
    bridge(last.unwrap_or(0), time, [bits, low], &mut say)?;
    say(time);
    *last = Some(time);
    Ok(())
}

impl Encode for Encoder {
    const FORMAT: Format = Format::Evt2;

    fn limits(&self) -> [i64; 2] {
        [1 << COORDINATE; 2]
    }

    fn header(&self, out: &mut Vec<u8>) {
        header("2.0", "EVT2", self.size, out);
    }

    fn event(&mut self, at: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error> {
        let kept = keep_time(&mut self.time, event, [BITS, LOW], |time| {
            out.extend(word_of_high(time).to_le_bytes());
        });
        kept.map_err(|()| self.gap(at))?;
        out.extend(word_of(event).to_le_bytes());
        Ok(())
    }
}
