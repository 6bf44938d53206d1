//! Frames of the events of cameras.

use crate::buffer::{Memory, Written};
use crate::call::run_whole;
use crate::events::{ColumnsMemory, EventReader, go_on, refused, written};
use crate::tensor::{Plain, Tensor};
use bitspike::events::{Cell, Crop, Filter, Filters, Frames, Layout, Polarity, Sink, Window};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

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
