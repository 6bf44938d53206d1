//! A scan, forward.

use super::Scan;
use crate::Error;
use crate::parallel::{self, pieces};
use crate::simd::{Columns, Isa, Kernel, Simd, TILE, dispatch};
use crate::tiling::{Span, Tile, split_columns, store};

/// Runs the scan: `y` is `[T, R, N]`.
///
/// # Errors
/// If a view reaches beyond its buffer, `y` is not as long as the shape asks for, or the rows are
/// no whole number of groups.
///
/// # Example
/// ```
/// use bitspike::scan::{Scan, forward};
/// use bitspike::simd::Isa;
/// use bitspike::tiling::{Shape, Strided};
///
/// let scan = Scan {
///     shape: Shape { steps: 3, samples: 1, neurons: 1 },
///     group: 1,
///     decay: Strided::constant(&0.5),
///     input: Strided::constant(&1.0),
///     key: None,
///     initial: Strided::constant(&2.0),
///     rectified: false,
/// };
/// let mut y = [0.0; 3];
/// forward(Isa::active()?, &scan, &mut y)?;
/// assert_eq!(y, [2.0, 2.0, 2.0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn forward(isa: Isa, scan: &Scan<'_>, y: &mut [f32]) -> Result<(), Error> {
    scan.check()?;
    let shape = scan.shape;
    Error::check_length("outputs", y.len(), &shape.all())?;
    if y.is_empty() {
        return Ok(());
    }
    let spans = scan.spans(isa);
    let row = shape.samples * shape.neurons;
    let outputs = split_columns(Some(y), row, &spans, |span| scan.columns(span));
    let jobs = spans.iter().zip(outputs.flatten());
    let jobs = jobs.map(|(&span, y)| Forward { scan, span, y }).collect();
    parallel::for_each(jobs, shape.work(), |job| dispatch(isa, job));
    Ok(())
}

/// The tiles of a span, row by row, each through all steps.
struct Forward<'a, 'b> {
    scan: &'a Scan<'a>,
    span: Span,
    y: Columns<'b, f32>,
}

impl Kernel for Forward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for row in 0..self.scan.group {
            for tile in self.span.tiles::<S>() {
                let full = tile.width == TILE * S::LANES;
                match (full, self.scan.rectified) {
                    (true, false) => self.steps::<S, true, false>(simd, tile, row),
                    (true, true) => self.steps::<S, true, true>(simd, tile, row),
                    (false, false) => self.steps::<S, false, false>(simd, tile, row),
                    (false, true) => self.steps::<S, false, true>(simd, tile, row),
                }
            }
        }
    }
}

impl Forward<'_, '_> {
    #[inline(always)]
    fn steps<S: Simd, const FULL: bool, const RECTIFIED: bool>(
        &mut self,
        simd: S,
        tile: Tile,
        row: usize,
    ) {
        let (scan, span) = (self.scan, self.span);
        let own = scan.tile_of_row(tile, row);
        let vectors = tile.vectors::<S, FULL>();
        let zero = simd.splat(0.0);
        let mut y = scan.initial.load_once::<S, FULL, TILE>(simd, own);
        for steps in pieces(scan.shape.steps, tile.width) {
            for t in steps {
                let decay = scan.decay.load::<S, FULL, TILE>(simd, t, tile);
                let mut x = scan.input.load::<S, FULL, TILE>(simd, t, own);
                if let Some(key) = &scan.key {
                    let key = key.load::<S, FULL, TILE>(simd, t, tile);
                    for i in 0..vectors {
                        x[i] = simd.mul(x[i], key[i]);
                    }
                }
                for i in 0..vectors {
                    y[i] = simd.add(simd.mul(decay[i], y[i]), x[i]);
                    if RECTIFIED {
                        y[i] = simd.select(simd.gt(zero, y[i]), zero, y[i]);
                    }
                }
                store::<S, FULL>(simd, scan.part(span, tile, row, self.y.row(t)), &y);
            }
        }
    }
}
