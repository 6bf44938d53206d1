//! What a machine does of a program: only what results need, in registers that are used again.
//!
//! * What depends on constants and immediates alone is computed once per tile.
//! * A product that is only added or subtracted becomes one pass with that, rounded twice as before,
//!   and so does a comparison that is only packed.
//! * A register is free again behind the last pass that reads it, which may fill it itself.

use super::Op;

/// Which results a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) packed: bool,
    pub(super) dense: bool,
    /// Per output.
    pub(super) outputs: Vec<bool>,
    /// Per sum.
    pub(super) sums: Vec<bool>,
}

/// What one pass over the registers of a tile does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// An operation of the program.
    Op(Op),
    /// `a * b + c`
    MulAdd,
    /// `a * b - c`
    MulSub,
    /// `c - a * b`
    SubMul,
    /// `a`
    Copy,
    /// The bits of `a != 0`.
    PackNonzero,
    /// The bits of `a > b`.
    PackGt,
    /// The bits of `a >= b`.
    PackGe,
}

/// One pass over the registers of a tile.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) action: Action,
    /// The register that is filled.
    pub(super) to: usize,
    /// Those that are read, as many as the action takes.
    pub(super) from: [usize; 3],
}

/// The registers of a tile and the passes over them.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// How many registers there are.
    pub(super) registers: usize,
    /// Which sequence lies in which register; likewise below.
    pub(super) sequences: Vec<(usize, usize)>,
    pub(super) constants: Vec<(usize, usize)>,
    pub(super) outputs: Vec<(usize, usize)>,
    pub(super) sums: Vec<(usize, usize)>,
    pub(super) immediates: Vec<(f32, usize)>,
    /// Per state, the registers before and after the step.
    pub(super) states: Vec<[usize; 2]>,
    /// Spikes as numbers.
    pub(super) dense: Option<usize>,
    /// Passes in front of the steps.
    pub(super) once: Vec<Pass>,
    /// Passes of each step.
    pub(super) each: Vec<Pass>,
}

impl Plan {
    /// A register of its own.
    pub(super) fn register(&mut self) -> usize {
        self.registers += 1;
        self.registers - 1
    }
}
