//! Recordings of event cameras.

use crate::buffer::{Memory, Written};
use crate::call::run_whole;
use crate::tensor::{Plain, Tensor};
use bitspike::events::{
    Chip, Columns, Compression, Convention, Error, Events, Format, Options, Reader, Sink, Span,
    Writer,
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

pub(super) fn refused(error: Error) -> PyErr {
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
    pub(super) reader: Reader,
    /// Events until Python has room for them.
    found: Events,
    span: Span,
}

/// Goes on with a piece of a recording, or to its end.
pub(super) fn go_on(
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
pub(super) fn written<'py, T: Plain>(
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
pub(super) struct ColumnsMemory<'py> {
    t: Memory<'py, i64>,
    x: Memory<'py, u16>,
    y: Memory<'py, u16>,
    p: Vec<bool>,
}

impl<'py> ColumnsMemory<'py> {
    pub(super) fn of([t, x, y, p]: [&Tensor<'py>; 4]) -> PyResult<Self> {
        let p = Memory::<u8>::of(p, "p")?;
        Ok(Self {
            t: Memory::of(t, "t")?,
            x: Memory::of(x, "x")?,
            y: Memory::of(y, "y")?,
            p: p.iter().map(|p| *p != 0).collect(),
        })
    }

    pub(super) fn columns(&self) -> Columns<'_> {
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

pub(super) fn is_over() -> PyErr {
    PyValueError::new_err("the recording is finished")
}
