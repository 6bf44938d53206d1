//! AER-DAT 2.0 of jAER: a text header, then eight bytes an event, big-endian: an address, and the low 32
//! bits of the time. What the bits of an address say depends on the chip, and on whom one asks.

use super::clock::Clock;
use super::coder::{Decode, Encode, whole};
use super::header::{self, Mark};
use super::{Chip, Convention, Error, Event, Format, Meta, Options, Report, Sink};
use alloc::format;
use alloc::vec::Vec;

/// What the bits of an address say.
#[derive(Clone, Copy, Debug)]
struct Address {
    chip: Chip,
    convention: Convention,
}

/// What an address is.
enum Read {
    Pixel(u16, u16, bool),
    Other,
    Outside,
}

impl Address {
    fn read(self, address: u32) -> Read {
        let bits = |first: u32, count: u32| (address >> first & ((1 << count) - 1)) as u16;
        if self.chip == Chip::Dvs128 {
            // Bit 15 marks events of the synchronisation input.
            if address >> 15 & 1 == 1 {
                return Read::Other;
            }
            let (lower, upper, bit) = (bits(1, 7), bits(8, 7), address & 1 == 1);
            return match self.convention {
                Convention::Address => Read::Pixel(lower, upper, bit),
                Convention::Jaer => Read::Pixel(127 - lower, upper, !bit),
                Convention::Tonic => Read::Pixel(upper, lower, bit),
            };
        }
        if address >> 31 == 1 || address >> 10 & 1 == 1 {
            return Read::Other;
        }
        let (x, y, bit) = (bits(12, 10), bits(22, 9), address >> 11 & 1 == 1);
        match self.convention {
            Convention::Address | Convention::Tonic => Read::Pixel(x, y, bit),
            Convention::Jaer => match (self.chip.size().0 - 1).checked_sub(x) {
                Some(x) => Read::Pixel(x, y, bit),
                None => Read::Outside,
            },
        }
    }

    /// The address of an event within the chip.
    fn write(self, Event { x, y, p, .. }: Event) -> u32 {
        let flipped = self.chip.size().0 - 1 - x;
        if self.chip == Chip::Dvs128 {
            let (lower, upper, bit) = match self.convention {
                Convention::Address => (x, y, p),
                Convention::Jaer => (flipped, y, !p),
                Convention::Tonic => (y, x, p),
            };
            return u32::from(bit) | u32::from(lower) << 1 | u32::from(upper) << 8;
        }
        let x = if self.convention == Convention::Jaer {
            flipped
        } else {
            x
        };
        u32::from(p) << 11 | u32::from(x) << 12 | u32::from(y) << 22
    }
}

/// Reads records.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    address: Address,
    clock: Clock,
}

impl Decoder {
    /// The decoder of a file, behind its header and the bytes that it takes.
    pub(super) fn open(
        bytes: &[u8],
        is_all: bool,
        options: &Options,
    ) -> Result<Option<(Meta, usize, Self)>, Error> {
        let format = Format::Aedat2;
        let Some(lines) = header::read(format, Mark::Hash, bytes, is_all)? else {
            return Ok(None);
        };
        if !lines
            .texts
            .first()
            .is_some_and(|line| line.starts_with("!AER-DAT2"))
        {
            let problem = "it does not begin with #!AER-DAT2.0".into();
            return Err(Error::Header { format, problem });
        }
        let chip = options
            .chip
            .or_else(|| Chip::of_size(header::camera(&lines)?));
        let chip = chip.unwrap_or(Chip::Dvs128);
        let meta = Meta {
            format,
            size: Some(chip.size()),
            start: lines.start(),
        };
        let address = Address {
            chip,
            convention: options.convention,
        };
        let clock = Clock::new(32);
        Ok(Some((meta, lines.length, Self { address, clock })))
    }
}

impl Decode for Decoder {
    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error> {
        let (records, used) = whole::<8>(bytes);
        for &[a, b, c, d, e, f, g, h] in records {
            // Of records of all kinds, so that no wrap is missed.
            let t = self.clock.unwrap(u32::from_be_bytes([e, f, g, h]).into());
            match self.address.read(u32::from_be_bytes([a, b, c, d])) {
                Read::Pixel(x, y, p) => {
                    report.events += 1;
                    sink.event(Event { t, x, y, p });
                }
                Read::Other => report.ignored += 1,
                Read::Outside => report.dropped += 1,
            }
        }
        Ok(used)
    }
}

/// Writes records.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    address: Address,
    clock: Clock,
}

impl Encoder {
    /// The chip is that of the size, if it is not given.
    pub(super) fn new(options: &Options, size: Option<(u16, u16)>) -> Self {
        let chip = options.chip.or_else(|| Chip::of_size(size?));
        let address = Address {
            chip: chip.unwrap_or(Chip::Dvs128),
            convention: options.convention,
        };
        let clock = Clock::new(32);
        Self { address, clock }
    }
}

impl Encode for Encoder {
    const FORMAT: Format = Format::Aedat2;

    fn limits(&self) -> [i64; 2] {
        let (width, height) = self.address.chip.size();
        [width.into(), height.into()]
    }

    fn header(&self, out: &mut Vec<u8>) {
        let chips = Chip::ALL.iter();
        let found = chips.filter(|(_, chip)| *chip == self.address.chip);
        let name = found
            .map(|(name, _)| name.to_ascii_uppercase())
            .collect::<Vec<_>>()
            .concat();
        let header = format!("#!AER-DAT2.0\r\n# AEChip: {name}\r\n#!END-HEADER\r\n");
        out.extend(header.bytes());
    }

    fn event(&mut self, at: usize, event: Event, out: &mut Vec<u8>) -> Result<(), Error> {
        let time = event.t as u32;
        if self.clock.unwrap(time.into()) != event.t {
            return Err(self.gap(at));
        }
        out.extend(self.address.write(event).to_be_bytes());
        out.extend(time.to_be_bytes());
        Ok(())
    }
}
