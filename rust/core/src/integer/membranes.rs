//! A step of a row of states in integers: integrate, fire, reset, as neurons of [`crate::neuron`] do in
//! floats.

use super::Decay;
use super::decay::{Leak, Visitor};
use crate::neuron::{Mechanism, Reset};
use crate::simd::Simd;
use crate::spikes::layout::WORD_BITS;
use alloc::vec::Vec;

/// What neurons compare their membranes with, and how these are reset.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) reset: Reset,
    /// Whether "zero" erases the present current too.
    pub(crate) erases_current: bool,
    /// Membranes above it fire: a padded row.
    pub(crate) limits: Vec<i32>,
    /// What "subtract" subtracts: a padded row.
    pub(crate) amounts: Vec<i32>,
}

/// The states of a sample, and what drives them: padded rows.
pub(crate) struct Membranes<'a> {
    pub(crate) decay: Decay,
    /// Those of a decay that multiplies.
    pub(crate) factors: &'a [i32],
    pub(crate) states: &'a mut [i32],
    pub(crate) currents: &'a [i32],
    /// What is added to the currents.
    pub(crate) recurrent: Option<&'a [i32]>,
}

impl Membranes<'_> {
    /// A step of states that never fire: `U ← decay(U) + I`.
    #[inline(always)]
    pub(crate) fn integrate<S: Simd>(self, simd: S) {
        self.decay.visit(simd, Integrate(self));
    }

    /// A step of neurons that fire, and their spikes.
    #[inline(always)]
    pub(crate) fn fire<S: Simd>(self, simd: S, firing: &Firing, spikes: &mut [u64]) {
        self.decay.visit(
            simd,
            Fire {
                membranes: self,
                firing,
                spikes,
            },
        );
    }

    /// Calls a function with each vector of states, its place, what it decays by and its current, and
    /// keeps what that returns.
    #[inline(always)]
    fn each<S: Simd>(self, simd: S, mut f: impl FnMut(usize, &[i32], S::I32, S::I32) -> S::I32) {
        let (words, _) = self.states.as_chunks_mut::<WORD_BITS>();
        let (currents, _) = self.currents.as_chunks::<WORD_BITS>();
        for (w, (states, currents)) in words.iter_mut().zip(currents).enumerate() {
            let word = w * WORD_BITS..(w + 1) * WORD_BITS;
            let factors = self.factors.get(word.clone()).unwrap_or_default();
            let recurrent = self.recurrent.map(
                #[inline(always)]
                |row| &row[word.clone()],
            );
            for first in (0..WORD_BITS).step_by(S::LANES) {
                let mut current = simd.load_i32(&currents[first..]);
                if let Some(recurrent) = recurrent {
                    current = simd.add_i32(current, simd.load_i32(&recurrent[first..]));
                }
                let factors = factors.get(first..).unwrap_or_default();
                let state = simd.load_i32(&states[first..]);
                let state = f(word.start + first, factors, state, current);
                simd.store_i32(&mut states[first..], state);
            }
        }
    }
}

struct Integrate<'a>(Membranes<'a>);

impl<S: Simd> Visitor<S> for Integrate<'_> {
    #[inline(always)]
    fn visit<L: Leak<S>>(self, simd: S, leak: L) {
        self.0.each(
            simd,
            #[inline(always)]
            |_, factors, state, current| leak.onto(simd, factors, state, current),
        );
    }
}

struct Fire<'a> {
    membranes: Membranes<'a>,
    firing: &'a Firing,
    spikes: &'a mut [u64],
}

impl<S: Simd> Visitor<S> for Fire<'_> {
    #[inline(always)]
    fn visit<L: Leak<S>>(self, simd: S, leak: L) {
        let reset = self.firing.reset;
        match (reset.mechanism == Mechanism::Zero, reset.immediate) {
            (false, false) => self.run::<S, L, false, false>(simd, leak),
            (false, true) => self.run::<S, L, false, true>(simd, leak),
            (true, false) => self.run::<S, L, true, false>(simd, leak),
            (true, true) => self.run::<S, L, true, true>(simd, leak),
        }
    }
}

impl Fire<'_> {
    #[inline(always)]
    fn run<S: Simd, L: Leak<S>, const ZERO: bool, const IMMEDIATE: bool>(self, simd: S, leak: L) {
        let Self {
            membranes,
            firing,
            spikes,
        } = self;
        let Firing {
            limits, amounts, ..
        } = firing;
        let late = firing.erases_current;
        let zero = simd.splat_i32(0);
        spikes.fill(0);
        membranes.each(
            simd,
            #[inline(always)]
            |place, factors, u, current| {
                let limit = simd.load_i32(&limits[place..]);
                let before = simd.gt_i32(u, limit);
                let kept = if ZERO && !late {
                    simd.select_i32(before, zero, u)
                } else {
                    u
                };
                let mut u = leak.onto(simd, factors, kept, current);
                let mut delayed = zero;
                let mut amount = zero;
                if ZERO && late {
                    u = simd.select_i32(before, zero, u);
                }
                if !ZERO {
                    amount = simd.load_i32(&amounts[place..]);
                    delayed = simd.select_i32(before, amount, zero);
                    u = simd.sub_i32(u, delayed);
                }
                let fired = simd.gt_i32(u, limit);
                spikes[place / WORD_BITS] |= simd.to_bits(fired) << (place % WORD_BITS);
                // What the delayed reset has left to do.
                if IMMEDIATE && ZERO {
                    let erased = simd.select_i32(before, u, zero);
                    u = simd.select_i32(fired, erased, u);
                } else if IMMEDIATE {
                    let left = simd.sub_i32(simd.select_i32(fired, amount, zero), delayed);
                    u = simd.sub_i32(u, left);
                }
                u
            },
        );
    }
}
