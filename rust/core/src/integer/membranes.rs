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

/// The states of a sample, and what drives them: padded rows.
pub(crate) struct Membranes<'a> {
    pub(crate) neurons: usize,
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

    /// Calls a function with each vector of states, its place, what it decays by and its current. Keeps
    /// the states that it returns, and its bits in `spikes`, if there are any.
    #[inline(always)]
    fn each<S: Simd>(
        self,
        simd: S,
        spikes: &mut [u64],
        mut f: impl FnMut(usize, &[i32], S::I32, S::I32) -> (S::I32, u64),
    ) {
        for w in 0..words(self.neurons) {
            let mut word = 0;
            let end = self.neurons.min((w + 1) * WORD_BITS);
            for place in (w * WORD_BITS..end).step_by(S::LANES) {
                let mut current = simd.load_i32(&self.currents[place..]);
                if let Some(recurrent) = self.recurrent {
                    current = simd.add_i32(current, simd.load_i32(&recurrent[place..]));
                }
                let factors = self.factors.get(place..).unwrap_or_default();
                let states = &mut self.states[place..];
                let (state, bits) = f(place, factors, simd.load_i32(states), current);
                simd.store_i32(states, state);
                word |= bits << (place % WORD_BITS);
            }
            if let Some(to) = spikes.get_mut(w) {
                *to = word;
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
            &mut [],
            #[inline(always)]
            |_, factors, state, current| (leak.onto(simd, factors, state, current), 0),
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
        let Firing {
            reset,
            limits,
            amounts,
            ..
        } = self.firing;
        let zero = simd.splat_i32(0);
        self.membranes.each(
            simd,
            self.spikes,
            #[inline(always)]
            |place, factors, u, current| {
                let limit = simd.load_i32(&limits[place..]);
                let amount = simd.load_i32(&amounts[place..]);
                let delayed = simd.select_i32(simd.gt_i32(u, limit), amount, zero);
                let mut u = simd.sub_i32(leak.onto(simd, factors, u, current), delayed);
                let fired = simd.gt_i32(u, limit);
                if reset.immediate {
                    // What the delayed reset has left to do.
                    let left = simd.sub_i32(simd.select_i32(fired, amount, zero), delayed);
                    u = simd.sub_i32(u, left);
                }
                (u, simd.to_bits(fired))
            },
        );
    }

    /// A step of neurons that erase what they have where they have fired.
    #[inline(always)]
    fn erase<S: Simd>(self, simd: S, leak: impl Leak<S>) {
        let Firing {
            reset,
            erases_current,
            limits,
            ..
        } = self.firing;
        let zero = simd.splat_i32(0);
        self.membranes.each(
            simd,
            self.spikes,
            #[inline(always)]
            |place, factors, mut u, current| {
                let limit = simd.load_i32(&limits[place..]);
                let before = simd.gt_i32(u, limit);
                if !erases_current {
                    u = simd.select_i32(before, zero, u);
                }
                u = leak.onto(simd, factors, u, current);
                if *erases_current {
                    u = simd.select_i32(before, zero, u);
                }
                let fired = simd.gt_i32(u, limit);
                if reset.immediate {
                    let erased = simd.select_i32(before, u, zero);
                    u = simd.select_i32(fired, erased, u);
                }
                (u, simd.to_bits(fired))
            },
        );
    }
}
