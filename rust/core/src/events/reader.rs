//! Recordings of all formats, read piece by piece.

use super::coder::Decode;
use super::{
    Error, Events, Format, Meta, Options, Report, Sink, aedat2, aedat4, aedat31, dat, evt2, evt3,
    evt21, header, nmnist,
};
use alloc::vec::Vec;

/// Reads a recording that comes in pieces, cut anywhere.
///
/// Between two pieces it keeps what is left of a record, or of a packet of AER-DAT 4: never more than it
/// was given.
#[derive(Clone, Debug)]
pub struct Reader {
    options: Options,
    meta: Option<Meta>,
    records: Option<Records>,
    pending: Vec<u8>,
    report: Report,
    /// What was wrong with a piece, which ends the reading.
    fault: Option<Error>,
}

/// Reads the records of a format.
#[derive(Clone, Debug)]
enum Records {
    Nmnist(nmnist::Decoder),
    Aedat2(aedat2::Decoder),
    Aedat31(aedat31::Decoder),
    Aedat4(aedat4::Decoder),
    Dat(dat::Decoder),
    Evt2(evt2::Decoder),
    Evt21(evt21::Decoder),
    Evt3(evt3::Decoder),
}

impl Records {
    /// The reader behind a header that begins with these bytes, what the header says, and its length;
    /// `None` if more bytes are needed.
    fn open(
        bytes: &[u8],
        is_all: bool,
        options: &Options,
    ) -> Result<Option<(Meta, usize, Self)>, Error> {
        let format = match options.format {
            Some(format) => format,
            None => match Format::of(bytes)? {
                Some(format) => format,
                None if !is_all => return Ok(None),
                // A header to its end that names no version is one of DAT without events.
                None if bytes.starts_with(b"%") => Format::Dat,
                None => return Err(Error::Unrecognised),
            },
        };
        Ok(match format {
            Format::Nmnist => {
                let meta = Meta {
                    format,
                    size: None,
                    start: None,
                };
                Some((meta, 0, Self::Nmnist(nmnist::Decoder::default())))
            }
            Format::Aedat2 => aedat2::Decoder::open(bytes, is_all, options)?
                .map(|(meta, length, records)| (meta, length, Self::Aedat2(records))),
            Format::Aedat31 => aedat31::Decoder::open(bytes, is_all)?
                .map(|(meta, length, records)| (meta, length, Self::Aedat31(records))),
            Format::Aedat4 => aedat4::Decoder::open(bytes, is_all)?
                .map(|(meta, length, records)| (meta, length, Self::Aedat4(records))),
            Format::Dat => dat::Decoder::open(bytes, is_all)?
                .map(|(meta, length, records)| (meta, length, Self::Dat(records))),
            Format::Evt2 | Format::Evt21 | Format::Evt3 => {
                let lines = header::read(format, header::Mark::Percent, bytes, is_all)?;
                lines.map(|lines| {
                    let records = match format {
                        Format::Evt2 => Self::Evt2(evt2::Decoder::new()),
                        Format::Evt21 => {
                            let told = evt21::is_high_first(&lines);
                            Self::Evt21(evt21::Decoder::new(options.high_first.unwrap_or(told)))
                        }
                        _ => Self::Evt3(evt3::Decoder::new()),
                    };
                    (dat::meta(format, &lines), lines.length, records)
                })
            }
        })
    }

    fn decode(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
        report: &mut Report,
    ) -> Result<usize, Error> {
        match self {
            Self::Nmnist(records) => records.decode(bytes, sink, report),
            Self::Aedat2(records) => records.decode(bytes, sink, report),
            Self::Aedat31(records) => records.decode(bytes, sink, report),
            Self::Aedat4(records) => records.decode(bytes, sink, report),
            Self::Dat(records) => records.decode(bytes, sink, report),
            Self::Evt2(records) => records.decode(bytes, sink, report),
            Self::Evt21(records) => records.decode(bytes, sink, report),
            Self::Evt3(records) => records.decode(bytes, sink, report),
        }
    }
}

impl Reader {
    /// A reader that has seen nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            meta: None,
            records: None,
            pending: Vec::new(),
            report: Report::default(),
            fault: None,
        }
    }

    /// What the file says of itself, once its header was seen.
    #[must_use]
    pub fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    /// What was found so far.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            tail: self.pending.len() as u64,
            ..self.report
        }
    }

    /// Reads the next piece, and gives its events to the sink.
    ///
    /// # Errors
    /// Whatever is wrong with the file; again, if more is pushed. Events in front of it were given.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Error> {
        self.go_on(bytes, false, sink)
    }

    /// Says that the file ends here.
    ///
    /// # Errors
    /// As [`push`](Self::push), and if it ends within its header.
    pub fn finish(&mut self, sink: &mut impl Sink) -> Result<(), Error> {
        self.go_on(&[], true, sink)
    }

    fn go_on(&mut self, bytes: &[u8], is_all: bool, sink: &mut impl Sink) -> Result<(), Error> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let result = if self.pending.is_empty() {
            self.take(bytes, is_all, sink)
                .map(|used| self.pending.extend(&bytes[used..]))
        } else {
            let mut joined = core::mem::take(&mut self.pending);
            joined.extend(bytes);
            self.take(&joined, is_all, sink).map(|used| {
                joined.drain(..used);
                self.pending = joined;
            })
        };
        result.inspect_err(|fault| self.fault = Some(fault.clone()))
    }

    /// Reads as much as there is whole, and says how much that was.
    fn take(&mut self, bytes: &[u8], is_all: bool, sink: &mut impl Sink) -> Result<usize, Error> {
        let mut header = 0;
        if self.records.is_none() {
            let Some((meta, length, records)) = Records::open(bytes, is_all, &self.options)? else {
                return Ok(0);
            };
            (self.meta, self.records, header) = (Some(meta), Some(records), length);
        }
        let records = self.records.as_mut().expect("it was opened");
        let used = records.decode(&bytes[header..], sink, &mut self.report)?;
        Ok(header + used)
    }
}

/// Reads a whole recording.
///
/// # Errors
/// Whatever is wrong with it.
///
/// ```
/// use bitspike::events::{Events, Event, Format, Options, read, write};
/// let events = Events::from_iter([Event { t: 5, x: 1, y: 2, p: true }]);
/// let bytes = write(events.columns(), Format::Evt3, Some((4, 4)), &Options::default())?;
/// let (found, meta, report) = read(&bytes, &Options::default())?;
/// assert_eq!((found, meta.size, report.events), (events, Some((4, 4)), 1));
/// # Ok::<(), bitspike::events::Error>(())
/// ```
pub fn read(bytes: &[u8], options: &Options) -> Result<(Events, Meta, Report), Error> {
    let (mut reader, mut events) = (Reader::new(*options), Events::default());
    reader.push(bytes, &mut events)?;
    reader.finish(&mut events)?;
    let report = reader.report();
    let meta = reader.meta.expect("a file without a header was refused");
    Ok((events, meta, report))
}
