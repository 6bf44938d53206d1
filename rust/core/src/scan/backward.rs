//! A scan, backward: with `δ[t]` the gradient of `x[t]`, `δ[t] = ȳ[t] + a[t+1]·δ[t+1]`.

use super::Scan;
use crate::Error;
use crate::parallel::{self, pieces};
use crate::simd::{Columns, Isa, Kernel, Simd, TILE, array, dispatch};
use crate::tiling::{AHEAD, Row, Span, Strided, Tile, split_columns, store, sum_repeats};

/// Numbers of the widest tile.
const WIDEST: usize = TILE * 16;

/// Where the gradients go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// Of the input, `[T, R, N]`; if there is a key, of the other factor, `[T, R]`.
    pub input: Option<&'a mut [f32]>,
    /// Of the key, `[T, R / group, N]`.
    pub key: Option<&'a mut [f32]>,
    /// Of the decay: `[T, R / group, N]`, or in the layout of its view if that does not change with
    /// time.
    pub decay: Option<&'a mut [f32]>,
    /// Of `y[-1]`, `[R, N]`.
    pub initial: Option<&'a mut [f32]>,
}

/// Sends the gradient `grad` of the outputs `y` back through the scan.
///
/// Sums run over rows, columns and samples in ascending order.
///
/// # Errors
/// If a view reaches beyond its buffer, a buffer is not as long as the shape asks for, or the rows
/// are no whole number of groups.
pub fn backward(
    isa: Isa,
    scan: &Scan<'_>,
    y: &[f32],
    grad: Strided<'_>,
    gradients: Gradients<'_>,
) -> Result<(), Error> {
    scan.check()?;
    let (shape, shared) = (scan.shape, scan.shared());
    let (row, shared_row) = (
        shape.samples * shape.neurons,
        shared.samples * shape.neurons,
    );
    Error::check_length("outputs", y.len(), &shape.all())?;
    grad.check("gradient of outputs", shape)?;
    let Gradients {
        input,
        key,
        decay,
        initial,
    } = gradients;
    let factor = [shape.steps, shape.samples];
    if let Some(out) = &input {
        let expected: &[usize] = if scan.key.is_some() {
            &factor
        } else {
            &shape.all()
        };
        Error::check_length("gradient of input", out.len(), expected)?;
    }
    if let Some(out) = &key {
        Error::check_length("gradient of key", out.len(), &shared.all())?;
    }
    let constant = scan.decay.time == 0;
    if let Some(out) = &decay {
        let expected: &[usize] = if constant {
            &[scan.decay.data.len()]
        } else {
            &shared.all()
        };
        Error::check_length("gradient of decay", out.len(), expected)?;
    }
    if let Some(out) = &initial {
        Error::check_length("gradient of initial", out.len(), &shape.row())?;
    }

    let outer = scan.key.is_some();
    let (mut values, input) = if outer { (input, None) } else { (None, input) };
    if let Some(values) = &mut values {
        values.fill(0.0);
    }
    if row == 0 {
        if let Some(out) = decay {
            out.fill(0.0);
        }
        return Ok(());
    }
    let (mut constants, decay, to_decay) = match decay {
        Some(out) if constant => (vec![0.0; shared_row], None, Some(out)),
        other => (Vec::new(), other, None),
    };
    let summed = to_decay.is_some().then_some(&mut constants[..]);
    let spans = scan.spans(isa);
    let columns = |span: Span| scan.columns(span);
    let shared_columns = |span: Span| span.columns(shape.neurons);
    let rows = |span: Span| span.sample * scan.group..(span.sample + 1) * scan.group;
    let mut values = split_columns(values, shape.samples, &spans, rows);
    let mut input = split_columns(input, row, &spans, columns);
    let mut key = split_columns(key, shared_row, &spans, shared_columns);
    let mut decay = split_columns(decay.or(summed), shared_row, &spans, shared_columns);
    let mut initial = split_columns(initial, row, &spans, columns);
    let outputs = Strided {
        data: y,
        time: row,
        sample: shape.neurons,
        per_neuron: true,
    };
    let job = |&span| Backward {
        scan,
        outputs,
        grad,
        span,
        values: values.next().flatten(),
        input: input.next().flatten(),
        key: key.next().flatten(),
        decay: decay.next().flatten(),
        initial: initial.next().flatten(),
    };
    let jobs: Vec<_> = spans.iter().map(job).collect();
    parallel::for_each(jobs, 2 * shape.work(), |job| dispatch(isa, job));
    if let Some(out) = to_decay {
        sum_repeats(&scan.decay, shape.neurons, &constants, out);
    }
    Ok(())
}

/// The tiles of a span, row by row, each through all steps.
struct Backward<'a, 'b> {
    scan: &'a Scan<'a>,
    /// `y`
    outputs: Strided<'a>,
    grad: Strided<'a>,
    span: Span,
    /// Of the input's factor beside the key: one number per row.
    values: Option<Columns<'b, f32>>,
    input: Option<Columns<'b, f32>>,
    key: Option<Columns<'b, f32>>,
    /// One row per step, or a single one if the decay does not change.
    decay: Option<Columns<'b, f32>>,
    initial: Option<Columns<'b, f32>>,
}

impl Kernel for Backward<'_, '_> {
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

impl Backward<'_, '_> {
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
        let constant = scan.decay.time == 0;
        let mut carry = [zero; TILE];
        let mut decay_sum = [zero; TILE];
        let steps = scan.shape.steps;
        for done in pieces(steps, tile.width) {
            for t in (steps - done.end..steps - done.start).rev() {
                if let Some(t) = t.checked_sub(AHEAD) {
                    self.grad.prefetch(simd, t, own);
                    self.outputs.prefetch(simd, t, own);
                }
                let mut delta = self.grad.load::<S, FULL, TILE>(simd, t, own);
                for i in 0..vectors {
                    delta[i] = simd.add(delta[i], carry[i]);
                }
                if RECTIFIED {
                    let y = self.outputs.load::<S, FULL, TILE>(simd, t, own);
                    for i in 0..vectors {
                        delta[i] = simd.select(simd.gt(y[i], zero), delta[i], zero);
                    }
                }
                let decay = scan.decay.load::<S, FULL, TILE>(simd, t, tile);
                for i in 0..vectors {
                    carry[i] = simd.mul(decay[i], delta[i]);
                }
                if let Some(input) = &mut self.input {
                    store::<S, FULL>(simd, scan.part(span, tile, row, input.row(t)), &delta);
                }
                if let Some(key) = &scan.key {
                    if let Some(values) = &mut self.values {
                        let key = key.load::<S, FULL, TILE>(simd, t, tile);
                        let terms = product(simd, delta, key);
                        add_up::<S>(simd, &terms, tile.width, &mut values.row(t)[row]);
                    }
                    if let Some(out) = &mut self.key {
                        let value = scan.input.load::<S, FULL, TILE>(simd, t, own);
                        let share = product(simd, delta, value);
                        add_row::<S, FULL>(simd, tile.of(span, out.row(t)), row == 0, share);
                    }
                }
                if let Some(out) = &mut self.decay {
                    let entered = match t.checked_sub(1) {
                        Some(before) => self.outputs.load::<S, FULL, TILE>(simd, before, own),
                        None => scan.initial.load::<S, FULL, TILE>(simd, 0, own),
                    };
                    let share = product(simd, delta, entered);
                    if constant {
                        for i in 0..vectors {
                            decay_sum[i] = simd.add(decay_sum[i], share[i]);
                        }
                    } else {
                        add_row::<S, FULL>(simd, tile.of(span, out.row(t)), row == 0, share);
                    }
                }
            }
        }
        if constant && let Some(out) = &mut self.decay {
            add_row::<S, FULL>(simd, tile.of(span, out.row(0)), row == 0, decay_sum);
        }
        if let Some(initial) = &mut self.initial {
            store::<S, FULL>(simd, scan.part(span, tile, row, initial.row(0)), &carry);
        }
    }
}

#[inline(always)]
fn product<S: Simd>(simd: S, a: [S::F32; TILE], b: [S::F32; TILE]) -> [S::F32; TILE] {
    array(
        #[inline(always)]
        |i| simd.mul(a[i], b[i]),
    )
}

/// Writes the share of the first row of a group, or adds that of a later one.
#[inline(always)]
fn add_row<S: Simd, const FULL: bool>(
    simd: S,
    sums: &mut [f32],
    first: bool,
    mut share: [S::F32; TILE],
) {
    if !first {
        let before = Row::Each(sums).load::<S, FULL, TILE>(simd);
        for (share, before) in share.iter_mut().zip(before) {
            *share = simd.add(before, *share);
        }
    }
    store::<S, FULL>(simd, sums, &share);
}

/// Adds the first `count` terms to a sum one by one: in the same order whatever the lanes are.
#[inline(always)]
fn add_up<S: Simd>(simd: S, terms: &[S::F32; TILE], count: usize, sum: &mut f32) {
    let mut numbers = [0.0; WIDEST];
    for (chunk, &term) in numbers.chunks_mut(S::LANES).zip(terms) {
        simd.store(chunk, term);
    }
    for number in &numbers[..count] {
        *sum += number;
    }
}
