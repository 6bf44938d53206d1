//! What readers and writers of all formats have in common.

use super::{Error, Event, Format, Report, Sink};
use alloc::vec::Vec;

/// Reads the records of a format.
pub(super) trait Decode {
    /// Takes as many whole records as there are, and says how many bytes they are. What is left comes
    /// again, with more behind it.
    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error>;
}

/// Writes the records of a format.
pub(super) trait Encode {
    /// The format.
    const FORMAT: Format;

    /// One more than the largest `x` and `y`.
    fn limits(&self) -> [i64; 2];

    /// Writes what comes first.
    fn header(&self, out: &mut Vec<u8>);

    /// Writes an event whose coordinates are within the limits, and whose time is not negative and
    /// not before that of the last one.
    fn event(&mut self, at: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error>;

    /// Writes what was held back.
    fn flush(&mut self, _: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }

    /// The error that says that the silence before an event is too long.
    fn gap(&self, at: usize) -> Error {
        Error::Gap {
            at,
            format: Self::FORMAT,
        }
    }
}

/// The most records that a writer spends on a silence.
pub(super) const SILENCE: i64 = 1 << 20;

/// The whole records at the front, and how many bytes they are.
pub(super) fn whole<const RECORD: usize>(bytes: &[u8]) -> (&[[u8; RECORD]], usize) {
    let (records, tail) = bytes.as_chunks();
    (records, bytes.len() - tail.len())
}

/// Calls `beat` with the times between two events at which a clock that keeps the bits up to `bits`, in
/// steps of `2^low`, must be heard, so that none of its wraps is missed: those of each quarter of its
/// range, and the last one before a wrap, because some readers look for a fall from there.
pub(super) fn bridge(
    from: i64,
    to: i64,
    [bits, low]: [u32; 2],
    mut beat: impl FnMut(i64),
) -> Result<(), ()> {
    let quarter = bits - 2;
    if (to >> quarter) - (from >> quarter) > SILENCE {
        return Err(());
    }
    for number in (from >> quarter) + 1..=to >> quarter {
        let time = number << quarter;
        let last = time - (1 << low);
        if number % 4 == 0 && last > from {
            beat(last);
        }
        if time < to {
            beat(time);
        }
    }
    Ok(())
}
