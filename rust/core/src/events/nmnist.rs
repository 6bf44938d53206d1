//! N-MNIST and N-Caltech101: five bytes an event, `x`, `y`, and polarity and time in 24 bits,
//! big-endian.
//!
//! A record of row 240, which the sensor does not have, says that all later times are 2¹³ µs later.

use super::coder::{Decode, Encode, SILENCE, whole};
use super::{Error, Event, Format, Report, Sink};
use alloc::vec::Vec;

const RECORD: usize = 5;
const LATER: u8 = 240;
const STEP: i64 = 1 << 13;
const TIMES: i64 = 1 << 23;

/// Reads records.
#[derive(Clone, Debug, Default)]
pub(super) struct Decoder {
    offset: i64,
}

impl Decode for Decoder {
    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error> {
        let (records, used) = whole::<RECORD>(bytes);
        for &[x, y, high, middle, low] in records {
            if y == LATER {
                self.offset += STEP;
                continue;
            }
            let time = u32::from_be_bytes([0, high & 0x7f, middle, low]);
            report.events += 1;
            sink.event(Event {
                t: self.offset + i64::from(time),
                x: x.into(),
                y: y.into(),
                p: high >> 7 == 1,
            });
        }
        Ok(used)
    }
}

/// Writes records.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoder {
    offset: i64,
}

impl Encode for Encoder {
    const FORMAT: Format = Format::Nmnist;

    fn limits(&self) -> [i64; 2] {
        [1 << 8, LATER.into()]
    }

    fn header(&self, _: &mut Vec<u8>) {}

    fn event(&mut self, at: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error> {
        let steps = (event.t - self.offset - TIMES).div_euclid(STEP) + 1;
        if steps > SILENCE {
            return Err(self.gap(at));
        }
        for _ in 0..steps {
            out.extend([0, LATER, 0, 0, 0]);
            self.offset += STEP;
        }
        let [_, high, middle, low] = ((event.t - self.offset) as u32).to_be_bytes();
        let high = high | u8::from(event.p) << 7;
        out.extend([event.x as u8, event.y as u8, high, middle, low]);
        Ok(())
    }
}
