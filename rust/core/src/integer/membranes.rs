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
    /// What "subtract" subtracts, 0 for other mechanisms: a padded row.
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
    /// A reset is masks, not code of its own: that would be four times the code for a few instructions.
    #[inline(always)]
    fn visit<L: Leak<S>>(self, simd: S, leak: L) {
        let Firing {
            reset,
            erases_current,
            limits,
            amounts,
        } = self.firing;
        let erases = reset.mechanism == Mechanism::Zero;
        // Of states that have fired, what is kept; of subtractions, what is done at once.
        let kept_before_current = bits(simd, !erases || *erases_current);
        let kept_after_current = bits(simd, !erases || !*erases_current);
        let kept_at_once = bits(simd, !erases || !reset.immediate);
        let subtracted_at_once = bits(simd, reset.immediate);
        let zero = simd.splat_i32(0);
        let spikes = self.spikes;
        spikes.fill(0);
        self.membranes.each(
            simd,
            #[inline(always)]
            |place, factors, u, current| {
                let limit = simd.load_i32(&limits[place..]);
                let amount = simd.load_i32(&amounts[place..]);
                let before = simd.gt_i32(u, limit);
                let kept = simd.select_i32(before, simd.and_i32(u, kept_before_current), u);
                let u = leak.onto(simd, factors, kept, current);
                let u = simd.select_i32(before, simd.and_i32(u, kept_after_current), u);
                let delayed = simd.select_i32(before, amount, zero);
                let u = simd.sub_i32(u, delayed);
                let fired = simd.gt_i32(u, limit);
                spikes[place / WORD_BITS] |= simd.to_bits(fired) << (place % WORD_BITS);
                // What the delayed reset has left to do.
                let left = simd.sub_i32(simd.select_i32(fired, amount, zero), delayed);
                let u = simd.sub_i32(u, simd.and_i32(left, subtracted_at_once));
                let erased = simd.select_i32(before, u, simd.and_i32(u, kept_at_once));
                simd.select_i32(fired, erased, u)
            },
        );
    }
}

/// A vector of all bits, or of none.
#[inline(always)]
fn bits<S: Simd>(simd: S, all: bool) -> S::I32 {
    simd.splat_i32(-i32::from(all))
}
