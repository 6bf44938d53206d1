//! The gradients that a batch carries from step to step, in planes.

use crate::neuron::{Neuron, Vectors};
use crate::sequence::adjoint::Carry;
use crate::simd::Simd;

/// The gradients of all neurons of a batch, a vector of which becomes a [`Carry`].
pub(super) struct Carried {
    /// Numbers of a plane.
    plane: usize,
    /// Of the states.
    pub(super) states: Vec<f32>,
    /// Of what is learned: parameters, threshold.
    pub(super) learned: Vec<f32>,
    /// Of the weight of a one-to-one connection.
    pub(super) one_to_one: Vec<f32>,
    /// Of the spikes, by way of what came back of them one step later.
    pub(super) spikes: Vec<f32>,
    /// Of the spikes, by way of what they adapted one step later; empty if nothing adapts.
    adapted: Vec<f32>,
}

impl Carried {
    /// No gradients yet.
    pub(super) fn new<N: Neuron>(plane: usize) -> Self {
        Self {
            plane,
            states: vec![0.0; N::STATES.len() * plane],
            learned: vec![0.0; (N::PARAMETERS.len() + 1) * plane],
            one_to_one: vec![0.0; plane],
            spikes: vec![0.0; plane],
            adapted: vec![0.0; if N::ADAPTS { plane } else { 0 }],
        }
    }

    /// Those of the vector at an offset in a plane.
    #[inline(always)]
    pub(super) fn load<S: Simd, N: Neuron, const LEARN: bool>(
        &self,
        simd: S,
        at: usize,
    ) -> Carry<S, N> {
        let mut carry = Carry::<S, N>::new(simd);
        carry.state = N::State::<S>::from_fn(
            #[inline(always)]
            |k| simd.load(&self.states[k * self.plane + at..]),
        );
        if LEARN {
            carry.parameters = N::Parameters::<S>::from_fn(
                #[inline(always)]
                |k| simd.load(&self.learned[k * self.plane + at..]),
            );
            carry.threshold = simd.load(&self.learned[N::PARAMETERS.len() * self.plane + at..]);
        }
        if N::ADAPTS {
            carry.spike = simd.load(&self.adapted[at..]);
        }
        carry
    }

    /// Puts them back.
    #[inline(always)]
    pub(super) fn store<S: Simd, N: Neuron, const LEARN: bool>(
        &mut self,
        simd: S,
        at: usize,
        carry: &Carry<S, N>,
    ) {
        for (k, &state) in carry.state.as_ref().iter().enumerate() {
            simd.store(&mut self.states[k * self.plane + at..], state);
        }
        if LEARN {
            for (k, &sum) in carry.parameters.as_ref().iter().enumerate() {
                simd.store(&mut self.learned[k * self.plane + at..], sum);
            }
            let threshold = &mut self.learned[N::PARAMETERS.len() * self.plane + at..];
            simd.store(threshold, carry.threshold);
        }
        if N::ADAPTS {
            simd.store(&mut self.adapted[at..], carry.spike);
        }
    }

    /// Adds to the gradient of a one-to-one weight.
    #[inline(always)]
    pub(super) fn add_one_to_one<S: Simd>(&mut self, simd: S, at: usize, share: S::F32) {
        let sum = &mut self.one_to_one[at..];
        simd.store(sum, simd.add(simd.load(sum), share));
    }
}
