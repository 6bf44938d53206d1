//! A whole sequence, backward: the adjoint program, from the last step to the first.

use super::compiled::Compiled;
use super::forward::{Inputs, next, work};
use super::joined::{joined, repeated};
use super::plan::{Plan, Wanted};
use super::tile::{Machine, Source, fill, padded, width};
use crate::Error;
use crate::parallel::{self, Scratch, progress};
use crate::sequence::OutputGradients;
use crate::sequence::checkpoint::{Chunks, Pass};
use crate::simd::{Columns, Isa, Kernel, Simd, dispatch};
use crate::tiling::{Span, Tile, spans_of, split_columns, sum_repeats};

/// Where the gradients go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// Per sequence, `[T, B, N]`.
    pub sequences: Vec<Option<&'a mut [f32]>>,
    /// Per state: of its initial value, `[B, N]`.
    pub initial: Vec<Option<&'a mut [f32]>>,
    /// Per constant, in the layout of its view: summed over what that repeats.
    pub constants: Vec<Option<&'a mut [f32]>>,
}

impl Gradients<'_> {
    fn check(&self, inputs: &Inputs<'_>) -> Result<(), Error> {
        let shape = inputs.shape;
        let (sequences, states) = (inputs.sequences.len(), inputs.initial.len());
        let constants = inputs.constants.len();
        Error::check_length("gradients of sequences", self.sequences.len(), &[sequences])?;
        Error::check_length("gradients of initial states", self.initial.len(), &[states])?;
        Error::check_length("gradients of constants", self.constants.len(), &[constants])?;
        for out in self.sequences.iter().flatten() {
            Error::check_length("gradient of a sequence", out.len(), &shape.all())?;
        }
        for out in self.initial.iter().flatten() {
            Error::check_length("gradient of an initial state", out.len(), &shape.row())?;
        }
        for (view, out) in inputs.constants.iter().zip(&self.constants) {
            if let Some(out) = out {
                Error::check_length("gradient of a constant", out.len(), &[view.data.len()])?;
            }
        }
        Ok(())
    }
}

impl Compiled {
    /// Checks that `adjoint` takes and gives what an adjoint of this program does.
    fn check_adjoint(&self, adjoint: &Self) -> Result<(), Error> {
        let (program, adjoint) = (self.program(), adjoint.program());
        let sequences = program.sequences + 2 * program.states + 1;
        let counts = [
            ("sequences", adjoint.sequences, sequences),
            ("states", adjoint.states, program.states),
            ("constants", adjoint.constants, program.constants),
            ("outputs", adjoint.outputs.len(), program.sequences),
            ("sums", adjoint.sums.len(), program.constants),
        ];
        for (what, found, expected) in counts {
            if found != expected {
                return Err(Error::Adjoint {
                    what,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// Sends gradients back through the whole sequence.
///
/// Gradients of constants are summed over what their views repeat, in a fixed order.
///
/// # Errors
/// [`Error::Adjoint`] if `adjoint` has not the inputs and results of an adjoint; else as
/// [`forward`](super::forward()).
pub fn backward(
    isa: Isa,
    compiled: &Compiled,
    adjoint: &Compiled,
    inputs: &Inputs<'_>,
    incoming: &OutputGradients<'_>,
    gradients: Gradients<'_>,
) -> Result<(), Error> {
    compiled.check_adjoint(adjoint)?;
    inputs.check(compiled)?;
    incoming.check(inputs.shape, inputs.initial.len())?;
    gradients.check(inputs)?;
    let program = compiled.program();
    let up = compiled.plan(Wanted {
        packed: false,
        dense: false,
        outputs: vec![false; program.outputs.len()],
        sums: vec![false; program.sums.len()],
    });
    let down = adjoint.plan(Wanted {
        packed: false,
        dense: false,
        outputs: gradients.sequences.iter().map(Option::is_some).collect(),
        sums: gradients.constants.iter().map(Option::is_some).collect(),
    });
    let shape = inputs.shape;
    let row = shape.samples * shape.neurons;
    let mut sums = vec![0.0; down.sums.len() * row];
    if row != 0 {
        let repeated = repeated(inputs);
        let joined = joined(inputs, &repeated).zip(incoming.joined(shape));
        let (inputs, incoming) = match &joined {
            Some((inputs, incoming)) => (inputs, incoming),
            None => (inputs, incoming),
        };
        Backward {
            up: &up,
            down: &down,
            inputs,
            incoming,
        }
        .run(isa, gradients.sequences, gradients.initial, &mut sums);
    }
    let views = inputs.constants.iter().zip(gradients.constants);
    let wanted = views.filter_map(|(view, out)| Some((view, out?)));
    for (k, (view, out)) in wanted.enumerate() {
        sum_repeats(view, shape.neurons, &sums[k * row..][..row], out);
    }
    Ok(())
}

/// What all spans read.
#[derive(Clone, Copy)]
struct Backward<'a> {
    /// The program, for its states alone.
    up: &'a Plan,
    /// Its adjoint.
    down: &'a Plan,
    inputs: &'a Inputs<'a>,
    incoming: &'a OutputGradients<'a>,
}

impl Backward<'_> {
    fn run(
        self,
        isa: Isa,
        sequences: Vec<Option<&mut [f32]>>,
        initial: Vec<Option<&mut [f32]>>,
        sums: &mut [f32],
    ) {
        let shape = self.inputs.shape;
        let row = shape.samples * shape.neurons;
        let width = width(self.down.registers.max(self.up.registers), shape);
        let spans = spans_of(width, shape);
        let columns = |matrix| {
            split_columns(matrix, row, &spans, |span: Span| {
                span.columns(shape.neurons)
            })
        };
        let mut sequences: Vec<_> = sequences.into_iter().map(columns).collect();
        let mut initial: Vec<_> = initial.into_iter().map(columns).collect();
        let mut sums = columns(Some(sums));
        let jobs = spans.iter().map(|&span| Job {
            shared: self,
            span,
            width,
            sequences: next(&mut sequences),
            initial: next(&mut initial),
            sums: sums.next().flatten(),
        });
        let jobs: Vec<_> = jobs.collect();
        let work = work(shape, &[self.up, self.down]);
        parallel::for_each(jobs, work, |job| dispatch(isa, job));
    }
}

/// A span of neurons through all steps, backward.
struct Job<'a, 'b> {
    shared: Backward<'a>,
    span: Span,
    width: usize,
    sequences: Vec<Option<Columns<'b, f32>>>,
    initial: Vec<Option<Columns<'b, f32>>>,
    /// Row by row, those that are wanted.
    sums: Option<Columns<'b, f32>>,
}

impl Kernel for Job<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let mut scratch = Scratch::take();
        for tile in self.span.tiles_of(self.width) {
            self.tile(simd, tile, &mut scratch);
        }
        scratch.put_back();
    }
}

/// The memory of a tile.
struct Memory<'s> {
    /// Registers of the program, and of its adjoint.
    up: &'s mut [f32],
    down: &'s mut [f32],
    /// Per state, those before and after each step of a chunk.
    history: &'s mut [f32],
    /// Per chunk and state, those before its first step.
    saved: &'s mut [f32],
    /// Per state, two rows of its gradient.
    carried: &'s mut [f32],
}

/// Numbers of the states of a chunk, which the second cache holds.
const HISTORY: usize = 128 * 1024;

impl Job<'_, '_> {
    /// One tile through all steps.
    #[inline(always)]
    fn tile<S: Simd>(&mut self, simd: S, tile: Tile, scratch: &mut Scratch) {
        let Backward {
            up,
            down,
            inputs,
            incoming,
        } = self.shared;
        let (width, states, steps) = (padded(tile), up.states.len(), inputs.shape.steps);
        let chunks = Chunks::new(steps, HISTORY / (width * states.max(1)));
        let per_state = (chunks.size() + 1) * width;
        let [in_up, in_down, history, saved, carried] = scratch.slices([
            up.registers * width,
            down.registers * width,
            states * per_state,
            (chunks.count() + 1) * states * width,
            states * 2 * width,
        ]);
        let last = steps % 2;
        for (k, view) in incoming.last.iter().enumerate() {
            fill(
                view.row(0, tile),
                &mut carried[(2 * k + last) * width..][..width],
            );
        }
        for (k, view) in inputs.initial.iter().enumerate() {
            fill(view.row(0, tile), &mut saved[k * width..][..width]);
        }
        Machine::new(up, in_up, tile).begin(simd, &inputs.constants);
        Machine::new(down, in_down, tile).begin(simd, &inputs.constants);
        let mut memory = Memory {
            up: in_up,
            down: in_down,
            history,
            saved,
            carried,
        };
        for pass in chunks.passes() {
            self.recompute(simd, tile, &pass, &mut memory);
            if pass.reverses {
                self.reverse(simd, tile, &pass, &mut memory);
            }
        }
        self.finish(tile, &memory);
    }

    /// Runs a chunk forward, keeps its states, and saves those that enter the next.
    #[inline(always)]
    fn recompute<S: Simd>(&self, simd: S, tile: Tile, pass: &Pass, memory: &mut Memory<'_>) {
        let Backward { up, inputs, .. } = self.shared;
        let (width, states) = (padded(tile), up.states.len());
        if states == 0 {
            return;
        }
        let per_state = memory.history.len() / states;
        let saved = memory.saved[pass.chunk * states * width..].chunks(width);
        for (history, saved) in memory.history.chunks_mut(per_state).zip(saved) {
            history[..width].copy_from_slice(saved);
        }
        let mut machine = Machine::new(up, memory.up, tile);
        machine.bind(|i| Source::View(inputs.sequences[i]));
        machine.carry_up(memory.history.chunks_mut(per_state), Some(pass.steps.start));
        for t in pass.steps.clone() {
            machine.step(simd, t, t + 1, &mut []);
            progress(tile.width);
        }
        if pass.saves {
            let saved = memory.saved[(pass.chunk + 1) * states * width..].chunks_mut(width);
            for (history, saved) in memory.history.chunks(per_state).zip(saved) {
                saved.copy_from_slice(&history[pass.steps.len() * width..][..width]);
            }
        }
    }

    /// Sends the gradients back through a chunk.
    #[inline(always)]
    fn reverse<S: Simd>(&mut self, simd: S, tile: Tile, pass: &Pass, memory: &mut Memory<'_>) {
        let Backward {
            down,
            inputs,
            incoming,
            ..
        } = self.shared;
        let (width, states, sequences) = (padded(tile), down.states.len(), inputs.sequences.len());
        let per_state = memory.history.len().checked_div(states).unwrap_or(0);
        let mut machine = Machine::new(down, memory.down, tile);
        let history: &[f32] = memory.history;
        machine.bind(|i| match i.checked_sub(sequences) {
            None => Source::View(inputs.sequences[i]),
            Some(k) if k < states => Source::Rows(&history[k * per_state..], pass.steps.start),
            Some(k) if k == states => Source::View(incoming.spikes),
            Some(k) => Source::View(incoming.states[k - states - 1]),
        });
        machine.carry_down(memory.carried.chunks_mut(2 * width));
        let registers = down.outputs.iter().map(|x| x.1);
        let results = self.sequences.iter_mut().flatten();
        let mut copied = machine.lend(registers.zip(results), self.span);
        for t in pass.steps.clone().rev() {
            machine.step(simd, t, t.wrapping_sub(1), &mut []);
            for (register, columns) in &mut copied {
                let row = tile.of(self.span, columns.row(t));
                row.copy_from_slice(machine.values(*register));
            }
            progress(tile.width);
        }
    }

    /// Writes what is left after the first step.
    fn finish(&mut self, tile: Tile, memory: &Memory<'_>) {
        let (width, span) = (padded(tile), self.span);
        for (k, out) in self.initial.iter_mut().enumerate() {
            if let Some(out) = out {
                let row = &memory.carried[2 * k * width..][..tile.width];
                tile.of(span, out.row(0)).copy_from_slice(row);
            }
        }
        for (k, &(_, register)) in self.shared.down.sums.iter().enumerate() {
            if let Some(sums) = &mut self.sums {
                let row = &memory.down[register * width..][..tile.width];
                tile.of(span, sums.row(k)).copy_from_slice(row);
            }
        }
    }
}
