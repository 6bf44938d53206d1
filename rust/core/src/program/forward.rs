//! A whole sequence, forward.

use super::compiled::Compiled;
use super::inputs::Inputs;
use super::joined::{joined, repeated};
use super::plan::{Plan, Wanted};
use super::tile::{Machine, Source, each_tile, fill, padded, steps_of, width};
use crate::Error;
use crate::parallel::{self, Scratch};
use crate::simd::{Columns, Isa, Kernel, Simd, dispatch};
use crate::spikes::cut_rows;
use crate::spikes::layout::{WORD_BITS, words};
use crate::tiling::{Shape, Span, Tile, spans_of, split_columns};

/// Where the results of [`forward`] go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// Spikes as bits, `[T, B, words(N)]`.
    pub packed: Option<&'a mut [u64]>,
    /// The value of the spikes, `[T, B, N]`.
    pub dense: Option<&'a mut [f32]>,
    /// Per state: its value after each step, `[T, B, N]`.
    pub states: Vec<Option<&'a mut [f32]>>,
    /// Per state: its value after the last step, `[B, N]`.
    pub last: Vec<Option<&'a mut [f32]>>,
    /// Per output, `[T, B, N]`.
    pub outputs: Vec<Option<&'a mut [f32]>>,
}

impl Outputs<'_> {
    fn check(&self, compiled: &Compiled, shape: Shape) -> Result<(), Error> {
        let program = compiled.program();
        Error::check_length("outputs of states", self.states.len(), &[program.states])?;
        Error::check_length("outputs of last states", self.last.len(), &[program.states])?;
        Error::check_length("outputs", self.outputs.len(), &[program.outputs.len()])?;
        let packed = [shape.steps, shape.samples, words(shape.neurons)];
        if let Some(out) = &self.packed {
            Error::check_length("packed spikes", out.len(), &packed)?;
        }
        if program.spikes.is_none() && (self.packed.is_some() || self.dense.is_some()) {
            return Err(Error::NoSpikes);
        }
        let sequences = self.dense.iter().map(|out| ("dense spikes", out.len()));
        let states = self.states.iter().flatten();
        let sequences = sequences.chain(states.map(|out| ("a state's sequence", out.len())));
        let outputs = self.outputs.iter().flatten();
        for (what, len) in sequences.chain(outputs.map(|out| ("an output", out.len()))) {
            Error::check_length(what, len, &shape.all())?;
        }
        let mut last = self.last.iter().flatten();
        last.try_for_each(|out| Error::check_length("a last state", out.len(), &shape.row()))
    }
}

/// Runs a program over the whole sequence.
///
/// # Errors
/// If there are not as many inputs or outputs as the program has, a view reaches beyond its buffer, or
/// an output is not as long as the shape asks for; [`Error::NoSpikes`] if the program has none, but an
/// output.
pub fn forward(
    isa: Isa,
    compiled: &Compiled,
    inputs: &Inputs<'_>,
    outputs: Outputs<'_>,
) -> Result<(), Error> {
    inputs.check(compiled)?;
    let shape = inputs.shape;
    outputs.check(compiled, shape)?;
    if shape.samples == 0 || shape.neurons == 0 {
        return Ok(());
    }
    let plan = compiled.plan(Wanted {
        packed: outputs.packed.is_some(),
        dense: outputs.dense.is_some(),
        outputs: outputs.outputs.iter().map(Option::is_some).collect(),
        sums: vec![false; compiled.program().sums.len()],
    });
    let repeated = repeated(inputs);
    let Some(joined) = joined(inputs, &repeated) else {
        run(isa, &plan, inputs, outputs);
        return Ok(());
    };
    // Samples of whole words lie side by side anyway.
    match outputs.packed {
        Some(packed) if !shape.neurons.is_multiple_of(WORD_BITS) => {
            let mut bits = vec![0; shape.steps * words(joined.shape.neurons)];
            let outputs = Outputs {
                packed: Some(&mut bits),
                ..outputs
            };
            run(isa, &plan, &joined, outputs);
            cut_rows(&bits, shape.steps, shape.samples, shape.neurons, packed)
        }
        _ => {
            run(isa, &plan, &joined, outputs);
            Ok(())
        }
    }
}

/// Runs what has been checked.
fn run(isa: Isa, plan: &Plan, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let shape = inputs.shape;
    let row = shape.samples * shape.neurons;
    let width = width(plan.registers, shape);
    let spans = spans_of(width, shape);
    let columns = |matrix| {
        split_columns(matrix, row, &spans, |span: Span| {
            span.columns(shape.neurons)
        })
    };
    let all = |matrices: Vec<Option<_>>| -> Vec<_> { matrices.into_iter().map(columns).collect() };
    let row_words = shape.samples * words(shape.neurons);
    let of_words = |span: Span| span.words(shape.neurons);
    let mut packed = split_columns(outputs.packed, row_words, &spans, of_words);
    let mut dense = columns(outputs.dense);
    let (mut states, mut last) = (all(outputs.states), all(outputs.last));
    let mut others = all(outputs.outputs);
    let jobs = spans.iter().map(|&span| Job {
        plan,
        inputs,
        span,
        width,
        packed: packed.next().flatten(),
        dense: dense.next().flatten(),
        states: next(&mut states),
        last: next(&mut last),
        outputs: next(&mut others),
    });
    let jobs: Vec<_> = jobs.collect();
    let work = shape.work().saturating_mul(steps_of(&[plan]));
    parallel::for_each(jobs, work, |job| dispatch(isa, job));
}

/// The columns of the next span, of each result.
pub(super) fn next<T>(columns: &mut [impl Iterator<Item = Option<T>>]) -> Vec<Option<T>> {
    columns.iter_mut().map(|x| x.next().flatten()).collect()
}

/// A span of neurons through all steps.
struct Job<'a, 'b> {
    plan: &'a Plan,
    inputs: &'a Inputs<'a>,
    span: Span,
    width: usize,
    packed: Option<Columns<'b, u64>>,
    dense: Option<Columns<'b, f32>>,
    states: Vec<Option<Columns<'b, f32>>>,
    last: Vec<Option<Columns<'b, f32>>>,
    outputs: Vec<Option<Columns<'b, f32>>>,
}

impl Kernel for Job<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        each_tile(
            self.span,
            self.width,
            #[inline(always)]
            |tile, scratch| self.tile(simd, tile, scratch),
        );
    }
}

impl Job<'_, '_> {
    /// One tile through all steps.
    #[inline(always)]
    fn tile<S: Simd>(&mut self, simd: S, tile: Tile, scratch: &mut Scratch) {
        let Self {
            plan,
            inputs,
            span,
            packed,
            dense,
            states,
            last,
            outputs,
            ..
        } = self;
        let (span, steps, width) = (*span, inputs.shape.steps, padded(tile));
        let carried = 2 * plan.states.len() * width;
        let [memory, carried] = scratch.slices([plan.registers * width, carried]);
        // Two rows per state, of which each step reads one and fills the other.
        for (view, rows) in inputs.initial.iter().zip(carried.chunks_mut(2 * width)) {
            fill(view.row(0, tile), &mut rows[..width]);
        }
        let mut machine = Machine::new(plan, memory, tile);
        machine.begin(simd, &inputs.constants);
        if steps != 0 {
            machine.bind(|i| Source::View(inputs.sequences[i]));
        }
        machine.carry_up(carried.chunks_mut(2 * width), None);
        // The plan has registers for those results that are wanted, in order.
        let registers = plan.outputs.iter().map(|x| x.1).chain(plan.dense);
        let results = outputs.iter_mut().flatten().chain(dense);
        let mut copied = machine.lend(registers.zip(results), span);
        for (columns, &[_, after]) in states.iter_mut().zip(&plan.states) {
            copied.extend(columns.as_mut().map(|columns| (after, columns)));
        }
        for t in 0..steps {
            let words = packed
                .as_mut()
                .map(|packed| tile.words_of(span, packed.row(t)));
            machine.step(simd, t, words.unwrap_or_default());
            for (register, columns) in &mut copied {
                let row = tile.of(span, columns.row(t));
                row.copy_from_slice(machine.values(*register));
            }
        }
        for (rows, last) in carried.chunks_mut(2 * width).zip(last) {
            if let Some(last) = last {
                let row = &rows[steps % 2 * width..][..tile.width];
                tile.of(span, last.row(0)).copy_from_slice(row);
            }
        }
    }
}
