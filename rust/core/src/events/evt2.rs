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
                kind @ (OFF | ON) if self.clock.is_set() => {
                    report.events += 1;
                    sink.event(Event {
                        t: self.high | i64::from(word >> 22 & 0x3f),
                        x: (word >> COORDINATE & 0x7ff) as u16,
                        y: (word & 0x7ff) as u16,
                        p: kind == ON,
                    });
                }
                OFF | ON => report.dropped += 1,
                TIME_HIGH => self.high = self.clock.unwrap(u64::from(word & 0xfff_ffff) << LOW),
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
            let high = (time >> LOW) as u32 & 0xfff_ffff;
            out.extend((TIME_HIGH << 28 | high).to_le_bytes());
        });
        kept.map_err(|()| self.gap(at))?;
        let kind = if event.p { ON } else { OFF };
        let low = (event.t & 0x3f) as u32;
        let word = kind << 28 | low << 22 | u32::from(event.x) << COORDINATE | u32::from(event.y);
        out.extend(word.to_le_bytes());
        Ok(())
    }
}
