//! A step of a row of states in integers: integrate, fire, reset, as neurons of [`crate::neuron`] do in
//! floats.

use super::Decay;
use super::decay::{Leak, Visitor};
use crate::neuron::{Mechanism, Reset};
use crate::simd::Simd;
use crate::spikes::layout::{WORD_BITS, words};
use alloc::vec::Vec;

/// What neurons compare their membranes with, and how these are reset.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) reset: Reset,
    /// Whether "zero" erases the present current too.
    pub(crate) erases_current: bool,
    /// Membranes above it fire: a padded row.
    pub(crate) limits: Vec<i32>,
    /// What "subtract" subtracts, 0 for other mechanisms: a padded row.
    pub(crate) amounts: Vec<i32>,
}

impl Firing {
    /// The rows of the limits and of the amounts.
    fn rows(&self) -> [&[i32]; 2] {
        [&self.limits, &self.amounts]
    }
}

/// The states of a sample, and what drives them: padded rows.
pub(crate) struct Membranes<'a> {
    pub(crate) neurons: usize,
    pub(crate) decay: Decay,
    /// Those of a decay that multiplies; others read none of it.
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

    /// Calls a function with each vector of neurons. Keeps the states that it returns, and its bits in
    /// `spikes`, if there are any.
    #[inline(always)]
    fn each<S: Simd>(
        self,
        simd: S,
        firing: [&[i32]; 2],
        spikes: &mut [u64],
        mut f: impl FnMut(Lanes<S>) -> (S::I32, u64),
    ) {
        for w in 0..words(self.neurons) {
            let mut word = 0;
            let first = w * WORD_BITS;
            let end = first
                + (self.neurons - first)
                    .min(WORD_BITS)
                    .next_multiple_of(S::LANES);
            // Chunks of a known length, side by side, need no check of bounds for each vector.
            let [limits, amounts] = firing.map(
                #[inline(always)]
                |row| row[first..end].chunks_exact(S::LANES),
            );
            let rows = self.states[first..end].chunks_exact_mut(S::LANES);
            let rows = rows.zip(self.currents[first..end].chunks_exact(S::LANES));
            let rows = rows.zip(self.factors[first..end].chunks_exact(S::LANES));
            let rows = rows.zip(limits).zip(amounts).enumerate();
            for (i, ((((states, currents), factors), limits), amounts)) in rows {
                let mut current = simd.load_i32(currents);
                if let Some(recurrent) = self.recurrent {
                    let recurrent = simd.load_i32(&recurrent[first + i * S::LANES..]);
                    current = simd.add_i32(current, recurrent);
                }
                let (state, bits) = f(Lanes {
                    state: simd.load_i32(states),
                    current,
                    factor: simd.load_i32(factors),
                    limit: simd.load_i32(limits),
                    amount: simd.load_i32(amounts),
                });
                simd.store_i32(states, state);
                word |= bits << (i * S::LANES);
            }
            if let Some(to) = spikes.get_mut(w) {
                *to = word;
            }
        }
    }
}

/// A vector of neurons.
struct Lanes<S: Simd> {
    state: S::I32,
    current: S::I32,
    factor: S::I32,
    limit: S::I32,
    amount: S::I32,
}

struct Integrate<'a>(Membranes<'a>);

impl<S: Simd> Visitor<S> for Integrate<'_> {
    #[inline(always)]
    fn visit<L: Leak<S>>(self, simd: S, leak: L) {
        // They have no threshold, and what is read in its place is not used.
        let none = [self.0.currents; 2];
        self.0.each(
            simd,
            none,
            &mut [],
            #[inline(always)]
            |x| (leak.onto(simd, x.factor, x.state, x.current), 0),
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
        if self.firing.reset.mechanism == Mechanism::Zero {
            self.erase(simd, leak);
        } else {
            self.subtract(simd, leak);
        }
    }
}

impl Fire<'_> {
    /// A step of neurons that subtract an amount where they have fired; it may be 0.
    #[inline(always)]
    fn subtract<S: Simd>(self, simd: S, leak: impl Leak<S>) {
        let immediate = self.firing.reset.immediate;
        let zero = simd.splat_i32(0);
        self.membranes.each(
            simd,
            self.firing.rows(),
            self.spikes,
            #[inline(always)]
            |x| {
                let delayed = simd.select_i32(simd.gt_i32(x.state, x.limit), x.amount, zero);
                let u = leak.onto(simd, x.factor, x.state, x.current);
                let mut u = simd.sub_i32(u, delayed);
                let fired = simd.gt_i32(u, x.limit);
                if immediate {
                    // What the delayed reset has left to do.
                    let left = simd.sub_i32(simd.select_i32(fired, x.amount, zero), delayed);
                    u = simd.sub_i32(u, left);
                }
                (u, simd.to_bits(fired))
            },
        );
    }

    /// A step of neurons that erase what they have where they have fired.
    #[inline(always)]
    fn erase<S: Simd>(self, simd: S, leak: impl Leak<S>) {
        let (immediate, erases_current) = (self.firing.reset.immediate, self.firing.erases_current);
        let zero = simd.splat_i32(0);
        self.membranes.each(
            simd,
            self.firing.rows(),
            self.spikes,
            #[inline(always)]
            |x| {
                let mut u = x.state;
                let before = simd.gt_i32(u, x.limit);
                if !erases_current {
                    u = simd.select_i32(before, zero, u);
                }
                u = leak.onto(simd, x.factor, u, x.current);
                if erases_current {
                    u = simd.select_i32(before, zero, u);
                }
                let fired = simd.gt_i32(u, x.limit);
                if immediate {
                    let erased = simd.select_i32(before, u, zero);
                    u = simd.select_i32(fired, erased, u);
                }
                (u, simd.to_bits(fired))
            },
        );
    }
}
