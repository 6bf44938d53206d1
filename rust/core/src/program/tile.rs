//! A plan bound to a tile of neurons: where its registers lie, and its steps.

use super::machine::run;
use super::plan::Plan;
use crate::parallel::{self, Scratch, progress};
use crate::simd::{BLOCK, Columns, Registers, Simd};
use crate::spikes::layout::tail_mask;
use crate::tiling::{Row, Shape, Span, Strided, Tile};

/// Neurons of a tile, between these bounds: as many as let its registers stay in the first cache.
const WIDTHS: [usize; 2] = [128, 512];
/// Numbers of those registers.
const CACHED: usize = 6 * 1024;

/// How many neurons a tile of a layer has whose plans need so many registers.
pub(super) fn width(registers: usize, shape: Shape) -> usize {
    let [narrow, wide] = WIDTHS;
    let mut width = wide;
    // Enough tiles for all threads, too.
    let tiles = |width| shape.samples * shape.neurons.div_ceil(width);
    while width > narrow && (width * registers > CACHED || tiles(width) < 2 * parallel::threads()) {
        width /= 2;
    }
    width
}

/// Elementary steps of plans for a neuron: some passes make one.
pub(super) fn steps_of(plans: &[&Plan]) -> usize {
    let passes: usize = plans.iter().map(|plan| plan.each.len()).sum();
    passes.div_ceil(4)
}

/// What a sequence of a program is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    View(Strided<'a>),
    /// A row of a tile per step, from a step on.
    Rows(&'a [f32], usize),
}

/// A plan in the registers of a tile.
pub(super) struct Machine<'m> {
    plan: &'m Plan,
    tile: Tile,
    registers: Registers<'m>,
    /// Elementary steps of a step.
    work: usize,
    /// What is copied into registers at each step.
    copied: Vec<(usize, Strided<'m>)>,
}

/// The width of the registers of a tile.
pub(super) fn padded(tile: Tile) -> usize {
    tile.width.next_multiple_of(BLOCK)
}

/// Calls a function for each tile of a span, with the thread's memory.
#[inline(always)]
pub(super) fn each_tile(span: Span, width: usize, mut f: impl FnMut(Tile, &mut Scratch)) {
    let mut scratch = Scratch::take();
    for tile in span.tiles_of(width) {
        f(tile, &mut scratch);
    }
    scratch.put_back();
}

/// Fills a register with the part of a row, and zeros behind it.
pub(super) fn fill(row: Row<'_>, register: &mut [f32]) {
    match row {
        Row::Same(value) => register.fill(value),
        Row::Each(row) => {
            let (values, rest) = register.split_at_mut(row.len());
            values.copy_from_slice(row);
            rest.fill(0.0);
        }
    }
}

impl<'m> Machine<'m> {
    pub(super) fn new(plan: &'m Plan, memory: &'m mut [f32], tile: Tile) -> Self {
        Self {
            plan,
            tile,
            registers: Registers::new(memory, plan.registers, padded(tile)),
            work: tile.width * steps_of(&[plan]),
            copied: Vec::new(),
        }
    }

    /// Loads what stays, and computes what follows from that alone.
    pub(super) fn begin<S: Simd>(&mut self, simd: S, constants: &[Strided<'_>]) {
        for &(i, register) in &self.plan.constants {
            fill(
                constants[i].row(0, self.tile),
                self.registers.row_mut(register),
            );
        }
        for &(number, register) in &self.plan.immediates {
            self.registers.row_mut(register).fill(number);
        }
        for &(_, register) in &self.plan.sums {
            self.registers.row_mut(register).fill(0.0);
        }
        run(simd, &self.plan.once, &mut self.registers, &mut []);
    }

    /// Whether rows of the tile are whole registers.
    fn is_exact(&self) -> bool {
        self.tile.width == padded(self.tile)
    }

    /// Says what the sequences are.
    pub(super) fn bind(&mut self, source: impl Fn(usize) -> Source<'m>) {
        for &(i, register) in &self.plan.sequences {
            match source(i) {
                Source::Rows(rows, from) => {
                    let width = padded(self.tile);
                    self.registers.read(register, rows, width, from);
                }
                Source::View(view) if view.per_neuron && self.is_exact() => {
                    let start = view.offset(self.tile.sample, self.tile.first);
                    self.registers
                        .read(register, &view.data[start..], view.time, 0);
                }
                Source::View(view) if view.time == 0 => {
                    fill(view.row(0, self.tile), self.registers.row_mut(register));
                }
                Source::View(view) => self.copied.push((register, view)),
            }
        }
    }

    /// Says where the states of the steps lie that are run upwards: a row before the first step of a
    /// sequence, and one after each; or just two that alternate.
    pub(super) fn carry_up(
        &mut self,
        memory: impl Iterator<Item = &'m mut [f32]>,
        from: Option<usize>,
    ) {
        for (&[before, after], memory) in self.plan.states.iter().zip(memory) {
            let (first, alternate) = (from.unwrap_or(0), from.is_none());
            self.registers
                .neighbours([before, after], memory, first, alternate);
        }
    }

    /// The same for steps that are run downwards, whose states alternate.
    pub(super) fn carry_down(&mut self, memory: impl Iterator<Item = &'m mut [f32]>) {
        for (&[before, after], memory) in self.plan.states.iter().zip(memory) {
            self.registers.neighbours([after, before], memory, 0, true);
        }
    }

    /// Lets registers lie in results of the span, if rows of the tile are whole registers. Returns those
    /// that have to be copied there instead.
    pub(super) fn lend<'b>(
        &mut self,
        results: impl Iterator<Item = (usize, &'m mut Columns<'b, f32>)>,
        span: Span,
    ) -> Vec<(usize, &'m mut Columns<'b, f32>)>
    where
        'b: 'm,
    {
        if !self.is_exact() {
            return results.collect();
        }
        for (register, columns) in results {
            self.registers
                .write(register, columns, self.tile.first - span.first);
        }
        Vec::new()
    }

    /// Runs the step `t` of a sequence, which writes the `words` of the tile if it packs spikes.
    #[inline(always)]
    pub(super) fn step<S: Simd>(&mut self, simd: S, t: usize, words: &mut [u64]) {
        progress(self.work);
        self.registers.at(t);
        for &(register, view) in &self.copied {
            fill(view.row(t, self.tile), self.registers.row_mut(register));
        }
        run(simd, &self.plan.each, &mut self.registers, words);
        if let Some(last) = words.last_mut() {
            *last &= tail_mask(self.tile.width);
        }
    }

    /// What a register holds.
    pub(super) fn values(&self, register: usize) -> &[f32] {
        &self.registers.row(register)[..self.tile.width]
    }
}
