//! What is left of a tile's gradients after the first step.

use super::tile::Job;
use crate::neuron::Neuron;
use crate::sequence::adjoint::Carry;
use crate::sequence::start::nth;
use crate::simd::{Simd, TILE, array};
use crate::tiling::{Tile, store};

impl<N: Neuron> Job<'_, '_, N> {
    /// Writes the gradients of the initial states, and of what can be learned.
    #[inline(always)]
    pub(super) fn finish<S: Simd, const FULL: bool>(
        &mut self,
        simd: S,
        tile: Tile,
        carry: &[Carry<S, N>; TILE],
    ) {
        let span = self.span;
        let states: [_; TILE] = array(
            #[inline(always)]
            |i| carry[i].state,
        );
        for (k, out) in self.initial.iter_mut().enumerate() {
            if let Some(out) = out {
                let row = tile.of(span, out.row(0));
                store::<S, FULL>(simd, row, &nth::<S, N>(&states, k));
            }
        }
        if let Some(learned) = &mut self.learned {
            let parameters = N::PARAMETERS.len();
            for k in 0..parameters {
                let sums = array(
                    #[inline(always)]
                    |i| carry[i].parameters.as_ref()[k],
                );
                store::<S, FULL>(simd, tile.of(span, learned.row(k)), &sums);
            }
            let sums = array(
                #[inline(always)]
                |i| carry[i].threshold,
            );
            store::<S, FULL>(simd, tile.of(span, learned.row(parameters)), &sums);
            let sums = array(
                #[inline(always)]
                |i| carry[i].graded_factor,
            );
            store::<S, FULL>(simd, tile.of(span, learned.row(parameters + 1)), &sums);
        }
    }
}
