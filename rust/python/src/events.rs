//! Recordings of event cameras, and frames of their events.

use crate::buffer::{Memory, Written};
use crate::call::run_whole;
use crate::tensor::{Plain, Tensor};
use bitspike::events::{
    Cell, Chip, Columns, Compression, Convention, Crop, Error, Events, Filter, Filters, Format,
    Frames, Layout, Options, Polarity, Reader, Sink, Span, Window, Writer,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// How a file is read or written where it does not say so: format, chip, convention, whether high
/// halves come first, compression.
type OptionArguments = (Option<String>, Option<String>, String, Option<bool>, String);

fn options(arguments: &OptionArguments) -> PyResult<Options> {
    let (format, chip, convention, high_first, compression) = arguments;
    let named = || {
        Ok(Options {
            format: format.as_deref().map(Format::named).transpose()?,
            chip: chip.as_deref().map(Chip::named).transpose()?,
            convention: Convention::named(convention)?,
            high_first: *high_first,
            compression: Compression::named(compression)?,
        })
    };
    named().map_err(refused)
}

fn refused(error: Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The names of all formats.
#[pyfunction]
pub(crate) fn event_formats() -> Vec<&'static str> {
    Format::ALL.map(Format::name).to_vec()
}

/// The format of a file that begins with these bytes; None if more of them are needed.
#[pyfunction]
pub(crate) fn event_format(data: &[u8]) -> PyResult<Option<&'static str>> {
    let format = Format::of(data).map_err(refused)?;
    Ok(format.map(Format::name))
}

/// What a file says of itself: its format, the size of the sensor, the start.
type Meta = (&'static str, Option<(u16, u16)>, Option<String>);

/// Reads a recording in pieces; `None` in place of a piece is its end.
#[pyclass]
#[derive(Debug)]
pub(crate) struct EventReader {
    reader: Reader,
    /// Events until Python has room for them.
    found: Events,
    span: Span,
}

/// Goes on with a piece of a recording, or to its end.
fn go_on(
    py: Python<'_>,
    reader: &mut Reader,
    data: Option<&[u8]>,
    sink: &mut (impl Sink + Send),
) -> PyResult<()> {
    let work = data.map_or(0, <[u8]>::len);
    run_whole(py, work, || match data {
        Some(data) => reader.push(data, sink),
        None => reader.finish(sink),
    })
}

#[pymethods]
impl EventReader {
    #[new]
    fn new(arguments: OptionArguments) -> PyResult<Self> {
        Ok(Self {
            reader: Reader::new(options(&arguments)?),
            found: Events::default(),
            span: Span::default(),
        })
    }

    /// Reads a piece, and says how many events wait to be taken.
    fn push(&mut self, py: Python<'_>, data: Option<&[u8]>) -> PyResult<usize> {
        go_on(py, &mut self.reader, data, &mut self.found)?;
        Ok(self.found.len())
    }

    /// Looks at a piece, and says when the first and the last event were so far, and how many there are.
    fn scan(&mut self, py: Python<'_>, data: Option<&[u8]>) -> PyResult<(Option<(i64, i64)>, u64)> {
        go_on(py, &mut self.reader, data, &mut self.span)?;
        Ok((self.span.times, self.span.events))
    }

    /// Writes the events that wait.
    fn take(&mut self, t: Tensor<'_>, x: Tensor<'_>, y: Tensor<'_>, p: Tensor<'_>) -> PyResult<()> {
        let mut columns = (
            written(&t, "t", self.found.len())?,
            written(&x, "x", self.found.len())?,
            written(&y, "y", self.found.len())?,
            written::<u8>(&p, "p", self.found.len())?,
        );
        columns.0.copy_from_slice(&self.found.t);
        columns.1.copy_from_slice(&self.found.x);
        columns.2.copy_from_slice(&self.found.y);
        for (to, from) in columns.3.iter_mut().zip(&self.found.p) {
            *to = u8::from(*from);
        }
        self.found.clear();
        Ok(())
    }

    /// What the file says of itself, once its header was read.
    fn meta(&self) -> Option<Meta> {
        let meta = self.reader.meta()?;
        Some((meta.format.name(), meta.size, meta.start.clone()))
    }

    /// Events, events that were dropped, other records, and bytes at the end.
    fn report(&self) -> (u64, u64, u64, u64) {
        let report = self.reader.report();
        (report.events, report.dropped, report.ignored, report.tail)
    }
}

/// A tensor with room for so many elements.
fn written<'py, T: Plain>(
    tensor: &Tensor<'py>,
    what: &str,
    length: usize,
) -> PyResult<Written<'py, T>> {
    let out = Written::of(tensor, what)?;
    match out.len() == length {
        true => Ok(out),
        false => Err(PyValueError::new_err(format!(
            "{what} has room for {}, but there are {length}",
            out.len()
        ))),
    }
}

/// Columns of events in the memory of tensors.
struct ColumnsMemory<'py> {
    t: Memory<'py, i64>,
    x: Memory<'py, u16>,
    y: Memory<'py, u16>,
    p: Vec<bool>,
}

impl<'py> ColumnsMemory<'py> {
    fn of([t, x, y, p]: [&Tensor<'py>; 4]) -> PyResult<Self> {
        let p = Memory::<u8>::of(p, "p")?;
        Ok(Self {
            t: Memory::of(t, "t")?,
            x: Memory::of(x, "x")?,
            y: Memory::of(y, "y")?,
            p: p.iter().map(|p| *p != 0).collect(),
        })
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            t: &self.t,
            x: &self.x,
            y: &self.y,
            p: &self.p,
        }
    }
}

/// Writes a recording in pieces.
#[pyclass]
#[derive(Debug)]
pub(crate) struct EventWriter(Option<Writer>);

#[pymethods]
impl EventWriter {
    #[new]
    fn new(format: &str, size: Option<(u16, u16)>, arguments: OptionArguments) -> PyResult<Self> {
        let format = Format::named(format).map_err(refused)?;
        let writer = Writer::new(format, size, &options(&arguments)?);
        Ok(Self(Some(writer.map_err(refused)?)))
    }

    /// The bytes of more events.
    fn write<'py>(
        &mut self,
        py: Python<'py>,
        t: Tensor<'py>,
        x: Tensor<'py>,
        y: Tensor<'py>,
        p: Tensor<'py>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let memory = ColumnsMemory::of([&t, &x, &y, &p])?;
        let (columns, mut out) = (memory.columns(), Vec::new());
        let writer = self.0.as_mut().ok_or_else(is_over)?;
        run_whole(py, columns.t.len(), || writer.write(columns, &mut out))?;
        Ok(PyBytes::new(py, &out))
    }

    /// The bytes that were held back.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let (writer, mut out) = (self.0.take().ok_or_else(is_over)?, Vec::new());
        writer.finish(&mut out).map_err(refused)?;
        Ok(PyBytes::new(py, &out))
    }
}

fn is_over() -> PyErr {
    PyValueError::new_err("the recording is finished")
}

/// Frames, by what they are made of.
#[derive(Debug)]
enum AnyFrames {
    Bits(Frames<u64>),
    Bytes(Frames<u8>),
    Shorts(Frames<i16>),
}

/// Calls a method of frames, whatever they are made of.
macro_rules! with_frames {
    ($frames:expr, $own:ident => $call:expr) => {
        match $frames {
            AnyFrames::Bits($own) => $call,
            AnyFrames::Bytes($own) => $call,
            AnyFrames::Shorts($own) => $call,
        }
    };
}

/// Frames of events that come in pieces.
#[pyclass]
#[derive(Debug)]
pub(crate) struct EventFrames {
    frames: AnyFrames,
    filters: Option<Filters>,
    size: (u16, u16),
}

/// A kind of window, its length, and how many steps there are.
type WindowArguments = (String, u64, Option<u64>);

fn window((kind, length, steps): WindowArguments) -> PyResult<Window> {
    match (kind.as_str(), steps) {
        ("time", steps) => Ok(Window::Time {
            width: length,
            steps,
        }),
        ("share", Some(steps)) => Ok(Window::Share {
            span: length,
            steps,
        }),
        ("events", steps) => Ok(Window::Events {
            count: length,
            steps,
        }),
        _ => Err(PyValueError::new_err(format!(
            "there is no window {kind:?}"
        ))),
    }
}

fn filter((name, value): (String, Bound<'_, PyAny>)) -> PyResult<Filter> {
    Ok(match name.as_str() {
        "drop" => {
            let (probability, seed) = value.extract()?;
            Filter::Drop { probability, seed }
        }
        "jitter" => {
            let (time, seed) = value.extract()?;
            Filter::Jitter { time, seed }
        }
        "crop" => {
            let (x, y, width, height) = value.extract()?;
            Filter::Crop(Crop {
                x,
                y,
                width,
                height,
            })
        }
        "mask" => {
            let pixels = Memory::<u8>::of(&value.extract()?, "mask")?;
            Filter::Mask(pixels.iter().map(|pixel| *pixel != 0).collect())
        }
        "refractory" => Filter::Refractory(value.extract()?),
        "background" => Filter::Background(value.extract()?),
        "downsample" => Filter::Downsample(value.extract()?),
        _ => {
            return Err(PyValueError::new_err(format!(
                "there is no filter {name:?}"
            )));
        }
    })
}

#[pymethods]
impl EventFrames {
    /// Frames of a sensor: what of polarities, which window, from when, of what cells, behind which filters,
    /// of how many bytes at most.
    #[new]
    #[pyo3(signature = (sensor, polarity, window, *, start, cells, filters, limit))]
    fn new(
        sensor: (u16, u16),
        polarity: &str,
        window: WindowArguments,
        start: Option<i64>,
        cells: &str,
        filters: Vec<(String, Bound<'_, PyAny>)>,
        limit: usize,
    ) -> PyResult<Self> {
        let filters = filters
            .into_iter()
            .map(filter)
            .collect::<PyResult<Vec<_>>>()?;
        let filters = match filters[..] {
            [] => None,
            _ => Some(Filters::new(&filters, sensor, limit).map_err(refused)?),
        };
        let size = filters.as_ref().map_or(sensor, Filters::size);
        let layout = Layout {
            size,
            polarity: match polarity {
                "both" => Polarity::Both,
                "merge" => Polarity::Merge,
                "on" => Polarity::On,
                _ => {
                    return Err(PyValueError::new_err(format!(
                        "there is no polarity {polarity:?}"
                    )));
                }
            },
            window: self::window(window)?,
            start,
            limit,
        };
        let frames = match cells {
            "bits" => Frames::new(&layout).map(AnyFrames::Bits),
            "uint8" => Frames::new(&layout).map(AnyFrames::Bytes),
            "int16" => Frames::new(&layout).map(AnyFrames::Shorts),
            _ => {
                return Err(PyValueError::new_err(format!(
                    "there are no cells {cells:?}"
                )));
            }
        };
        Ok(Self {
            frames: frames.map_err(refused)?,
            filters,
            size,
        })
    }

    /// Width and height behind the filters.
    #[getter]
    fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Cells of a step.
    #[getter]
    fn row(&self) -> usize {
        with_frames!(&self.frames, frames => frames.row())
    }

    /// Adds events.
    fn push(
        &mut self,
        py: Python<'_>,
        t: Tensor<'_>,
        x: Tensor<'_>,
        y: Tensor<'_>,
        p: Tensor<'_>,
    ) -> PyResult<()> {
        let memory = ColumnsMemory::of([&t, &x, &y, &p])?;
        let columns = memory.columns();
        let filters = self.filters.as_mut();
        with_frames!(&mut self.frames, frames => run_whole(py, columns.t.len(), || {
            let events = columns.iter()?;
            match filters {
                None => events.for_each(|event| frames.event(event)),
                Some(filters) => {
                    let mut sink = filters.before(frames);
                    events.for_each(|event| sink.event(event));
                }
            }
            frames.check()
        }))
    }

    /// Fills all steps, whose cells are zero, with the events of a piece of a recording, or of its end.
    fn read(
        &mut self,
        py: Python<'_>,
        mut reader: PyRefMut<'_, EventReader>,
        data: Option<&[u8]>,
        out: Tensor<'_>,
    ) -> PyResult<()> {
        let (reader, filters) = (&mut reader.reader, self.filters.as_mut());
        with_frames!(&mut self.frames, frames => {
            let mut cells = Written::of(&out, "out")?;
            let mut frames = frames.within(&mut cells).map_err(refused)?;
            match filters {
                None => go_on(py, reader, data, &mut frames),
                Some(filters) => go_on(py, reader, data, &mut filters.before(&mut frames)),
            }
        })
    }

    /// Adds the events of a piece of a recording, or of its end, to steps that are as many as they need.
    fn append(
        &mut self,
        py: Python<'_>,
        mut reader: PyRefMut<'_, EventReader>,
        data: Option<&[u8]>,
    ) -> PyResult<()> {
        let (reader, filters) = (&mut reader.reader, self.filters.as_mut());
        with_frames!(&mut self.frames, frames => {
            match filters {
                None => go_on(py, reader, data, frames)?,
                Some(filters) => go_on(py, reader, data, &mut filters.before(frames))?,
            }
            frames.check().map_err(refused)
        })
    }

    /// Says that no event before this time is to come.
    fn reach(&mut self, time: i64) -> PyResult<()> {
        with_frames!(&mut self.frames, frames => frames.reach(time).map_err(refused))
    }

    /// How many steps there are, with the incomplete ones or without.
    fn steps(&self, incomplete: bool) -> usize {
        with_frames!(&self.frames, frames => frames.steps(incomplete))
    }

    /// Moves the first steps to a tensor: int64 words, uint8 or int16 counts.
    fn give(&mut self, steps: usize, out: Tensor<'_>) -> PyResult<()> {
        with_frames!(&mut self.frames, frames => given(frames, steps, &out))
    }

    /// Events in frames, and those of them that changed nothing; events of no pixel, before the first step
    /// and behind the last, and those that filters dropped.
    fn placed(&self) -> [u64; 6] {
        let placed = with_frames!(&self.frames, frames => frames.placed());
        let dropped = self.filters.as_ref().map_or(0, Filters::dropped);
        [
            placed.events,
            placed.collisions,
            placed.outside,
            placed.early,
            placed.late,
            dropped,
        ]
    }
}

fn given<C: Cell + Plain>(frames: &mut Frames<C>, steps: usize, out: &Tensor<'_>) -> PyResult<()> {
    let cells = frames.cells(steps);
    written(out, "out", cells.len())?.copy_from_slice(cells);
    frames.give(steps);
    Ok(())
}
