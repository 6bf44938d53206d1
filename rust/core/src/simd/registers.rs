//! Registers of a vector machine: rows of numbers, of which an operation reads some and fills one.

use super::{Columns, Simd, array};
use alloc::vec::Vec;
use core::marker::PhantomData;

/// Rows are whole blocks of so many numbers, so that loops over vectors leave no rest.
pub(crate) const BLOCK: usize = 64;

/// Vectors that a loop takes at a time.
const UNROLLED: usize = 4;

/// Rows of one width: in memory of their own, or elsewhere at each step of a sequence.
#[derive(Debug)]
pub(crate) struct Registers<'m> {
    rows: Vec<Row>,
    ports: Vec<Port>,
    width: usize,
    memory: PhantomData<&'m mut [f32]>,
}

/// Where a register lies: `width` numbers that `'m` borrows, exclusively if it may be filled.
#[derive(Clone, Copy, Debug)]
struct Row {
    start: *mut f32,
    is_writable: bool,
}

/// Where a register lies at each step.
#[derive(Debug)]
struct Port {
    register: usize,
    first: *mut f32,
    /// Numbers from a position to the next.
    stride: usize,
    /// How many positions lie in memory.
    positions: usize,
    /// The step at the first position, if none is `ahead`.
    from: usize,
    ahead: usize,
    /// Which bits of a position count.
    mask: usize,
}

impl<'m> Registers<'m> {
    /// So many registers of `width` numbers in `memory`.
    ///
    /// # Panics
    /// If the width is no whole number of blocks, or the memory is too short.
    pub(crate) fn new(memory: &'m mut [f32], registers: usize, width: usize) -> Self {
        assert!(
            width != 0 && width.is_multiple_of(BLOCK),
            "{width} is no whole block"
        );
        let rows = memory.chunks_exact_mut(width).take(registers);
        let rows: Vec<_> = rows.map(Row::of).collect();
        assert_eq!(rows.len(), registers, "rows that the memory holds");
        Self {
            rows,
            ports: Vec::new(),
            width,
            memory: PhantomData,
        }
    }

    /// Makes a register the first numbers of `data` at the step `from`, and those `stride` later at each
    /// step after that. It cannot be filled.
    pub(crate) fn read(&mut self, register: usize, data: &'m [f32], stride: usize, from: usize) {
        let later = |room: usize| room.checked_div(stride).unwrap_or(usize::MAX - 1);
        let room = data.len().checked_sub(self.width);
        self.rows[register].is_writable = false;
        self.ports.push(Port {
            register,
            first: data.as_ptr().cast_mut(),
            stride,
            positions: room.map_or(0, |room| later(room) + 1),
            from,
            ahead: 0,
            mask: usize::MAX,
        });
    }

    /// Makes a register, at each step, the numbers of that row of `columns` from `start` on.
    pub(crate) fn write(
        &mut self,
        register: usize,
        columns: &'m mut Columns<'_, f32>,
        start: usize,
    ) {
        let (positions, stride) = (columns.rows(), columns.stride());
        if positions != 0 {
            let first = &mut columns.row(0)[start..][..self.width];
            self.ports.push(Port {
                register,
                first: first.as_mut_ptr(),
                stride,
                positions,
                from: 0,
                ahead: 0,
                mask: usize::MAX,
            });
        }
    }

    /// Makes two registers neighbouring rows of `memory`, one further at each step after `from`: what
    /// is `low` at a step is `high` at the step before. If they `alternate`, two rows take turns.
    pub(crate) fn neighbours(
        &mut self,
        [low, high]: [usize; 2],
        memory: &'m mut [f32],
        from: usize,
        alternate: bool,
    ) {
        let positions = memory.len() / self.width;
        assert!(!alternate || positions >= 2, "there are no two rows");
        let first = memory.as_mut_ptr();
        for (ahead, register) in [low, high].into_iter().enumerate() {
            self.ports.push(Port {
                register,
                first,
                stride: self.width,
                positions,
                from,
                ahead,
                mask: if alternate { 1 } else { usize::MAX },
            });
        }
    }

    /// Moves the registers that lie elsewhere at each step.
    ///
    /// # Panics
    /// If one does not lie in its memory.
    #[inline(always)]
    pub(crate) fn at(&mut self, step: usize) {
        for port in &self.ports {
            let position = step.wrapping_sub(port.from).wrapping_add(port.ahead) & port.mask;
            assert!(position < port.positions, "no position {position}");
            // `wrapping_add`: rows of a stride of 0 may have any position.
            let start = port.first.wrapping_add(position.wrapping_mul(port.stride));
            self.rows[port.register].start = start;
        }
    }

    /// The numbers of a register.
    #[inline(always)]
    pub(crate) fn row(&self, register: usize) -> &[f32] {
        // SAFETY: a register is `width` numbers that are borrowed for `'m`, and `&self` keeps it from
        // being filled meanwhile.
        unsafe { core::slice::from_raw_parts(self.rows[register].start, self.width) }
    }

    /// The numbers of a register, to be filled from outside.
    ///
    /// # Panics
    /// If it cannot be filled.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, register: usize) -> &mut [f32] {
        let start = self.fillable(register);
        // SAFETY: as in `row`; the numbers are borrowed exclusively, and `&mut self` keeps them from
        // being read through another register.
        unsafe { core::slice::from_raw_parts_mut(start, self.width) }
    }

    #[inline(always)]
    fn fillable(&self, register: usize) -> *mut f32 {
        let row = self.rows[register];
        assert!(row.is_writable, "register {register} is read only");
        row.start
    }

    /// Fills a register with `f` of others, of which it may be one.
    ///
    /// `f` must be `#[inline(always)]`.
    #[inline(always)]
    pub(crate) fn apply<S: Simd, const K: usize>(
        &mut self,
        simd: S,
        to: usize,
        from: [usize; K],
        f: impl Fn([S::F32; K]) -> S::F32,
    ) {
        let to = self.fillable(to);
        let from: [*const f32; K] = array(
            #[inline(always)]
            |k| self.rows[from[k]].start.cast_const(),
        );
        for i in (0..self.width).step_by(UNROLLED * S::LANES) {
            let results: [S::F32; UNROLLED] = array(
                #[inline(always)]
                |v| f(load(simd, from, i + v * S::LANES)),
            );
            // SAFETY: a row has `width` numbers, which are a multiple of `UNROLLED·LANES`.
            let to = unsafe { core::slice::from_raw_parts_mut(to.add(i), UNROLLED * S::LANES) };
            for (v, result) in results.into_iter().enumerate() {
                simd.store(&mut to[v * S::LANES..], result);
            }
        }
    }

    /// As [`apply`](Self::apply), of one number at a time: plain Rust that the compiler makes vectors of.
    #[inline(always)]
    pub(crate) fn apply_each(&mut self, to: usize, from: usize, f: impl Fn(f32) -> f32) {
        self.apply_each_with(to, from, f, |_| None);
    }

    /// As [`apply_each`](Self::apply_each), but where `rare` has a result, it is that.
    #[inline(always)]
    pub(crate) fn apply_each_with(
        &mut self,
        to: usize,
        from: usize,
        f: impl Fn(f32) -> f32,
        rare: impl Fn(f32) -> Option<f32>,
    ) {
        let (to, from) = (self.fillable(to), self.rows[from].start.cast_const());
        for i in (0..self.width).step_by(BLOCK) {
            let mut block = [0.0; BLOCK];
            // SAFETY: a row has `width` numbers, which are a multiple of `BLOCK`; none is filled while
            // this slice is read.
            block.copy_from_slice(unsafe { core::slice::from_raw_parts(from.add(i), BLOCK) });
            let mut results = block;
            for x in &mut results {
                *x = f(*x);
            }
            for (result, x) in results.iter_mut().zip(block) {
                if let Some(x) = rare(x) {
                    *result = x;
                }
            }
            // SAFETY: likewise; the other slice is gone.
            unsafe { core::slice::from_raw_parts_mut(to.add(i), BLOCK) }.copy_from_slice(&results);
        }
    }

    /// Writes what `f` says of each neuron as bits, those of the first words.
    ///
    /// `f` must be `#[inline(always)]`.
    #[inline(always)]
    pub(crate) fn pack<S: Simd, const K: usize>(
        &self,
        simd: S,
        words: &mut [u64],
        from: [usize; K],
        f: impl Fn([S::F32; K]) -> S::Mask,
    ) {
        const WORD: usize = u64::BITS as usize;
        let from: [*const f32; K] = array(
            #[inline(always)]
            |k| self.rows[from[k]].start.cast_const(),
        );
        for (word, i) in words.iter_mut().zip((0..self.width).step_by(WORD)) {
            let mut bits = 0;
            for v in (0..WORD).step_by(S::LANES) {
                let mask = f(load(simd, from, i + v));
                bits |= simd.to_bits(mask) << v;
            }
            *word = bits;
        }
    }
}

impl Row {
    fn of(row: &mut [f32]) -> Self {
        Self {
            start: row.as_mut_ptr(),
            is_writable: true,
        }
    }
}

/// A vector of each row. Rows must have numbers there.
#[inline(always)]
fn load<S: Simd, const K: usize>(simd: S, rows: [*const f32; K], i: usize) -> [S::F32; K] {
    array(
        #[inline(always)]
        |k| {
            // SAFETY: the methods above call this below the width of their rows, before they fill one.
            simd.load(unsafe { core::slice::from_raw_parts(rows[k].add(i), S::LANES) })
        },
    )
}
