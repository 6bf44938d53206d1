//! A span of neurons, backward through time, tile by tile.

use crate::parallel::Scratch;
use crate::program::inputs::Inputs;
use crate::program::plan::Plan;
use crate::program::tile::{Machine, Source, each_tile, fill, padded};
use crate::sequence::OutputGradients;
use crate::sequence::checkpoint::{Chunks, Pass};
use crate::simd::{Columns, Kernel, Simd};
use crate::tiling::{Span, Tile};

/// What all spans read.
#[derive(Clone, Copy)]
pub(super) struct Backward<'a> {
    /// The program, for its states alone.
    pub(super) up: &'a Plan,
    /// Its adjoint.
    pub(super) down: &'a Plan,
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) incoming: &'a OutputGradients<'a>,
}

/// A span of neurons through all steps, backward.
pub(super) struct Job<'a, 'b> {
    pub(super) shared: Backward<'a>,
    pub(super) span: Span,
    pub(super) width: usize,
    pub(super) sequences: Vec<Option<Columns<'b, f32>>>,
    pub(super) initial: Vec<Option<Columns<'b, f32>>>,
    /// Row by row, those that are wanted.
    pub(super) sums: Option<Columns<'b, f32>>,
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
            machine.step(simd, t, &mut []);
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
            machine.step(simd, t, &mut []);
            for (register, columns) in &mut copied {
                let row = tile.of(self.span, columns.row(t));
                row.copy_from_slice(machine.values(*register));
            }
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
