//! What a tile starts from.

use super::tile::Tile;
use super::{Layer, TILE};
use crate::neuron::{FiringLanes, Neuron, Vectors};
use crate::simd::{Simd, array};

/// What each of `V` vectors of a tile needs to fire and reset.
#[inline(always)]
pub(crate) fn lanes<S: Simd, N: Neuron, const FULL: bool, const V: usize>(
    simd: S,
    layer: &Layer<'_>,
    Tile {
        sample,
        first,
        width,
    }: Tile,
) -> [FiringLanes<S, N>; V] {
    let threshold: [S::F32; V] = layer
        .threshold
        .row(0, sample, first, width)
        .load::<S, FULL, V>(simd);
    let mut parameters = [N::Parameters::<S>::from_fn(|_| simd.splat(0.0)); V];
    for (k, view) in layer.parameters.iter().enumerate() {
        let row = view.row(0, sample, first, width).load::<S, FULL, V>(simd);
        for (i, parameters) in parameters.iter_mut().enumerate() {
            parameters.as_mut()[k] = row[i];
        }
    }
    array(
        #[inline(always)]
        |i| FiringLanes::new(simd, layer.reset.mechanism, parameters[i], threshold[i]),
    )
}

/// The states of a tile before the first step.
#[inline(always)]
pub(super) fn initial<S: Simd, N: Neuron, const FULL: bool>(
    simd: S,
    layer: &Layer<'_>,
    Tile {
        sample,
        first,
        width,
    }: Tile,
) -> [N::State<S>; TILE] {
    let mut state = [N::State::<S>::from_fn(|_| simd.splat(0.0)); TILE];
    for (k, view) in layer.initial.iter().enumerate() {
        let row = view
            .row(0, sample, first, width)
            .load::<S, FULL, TILE>(simd);
        for (state, value) in state.iter_mut().zip(row) {
            state.as_mut()[k] = value;
        }
    }
    state
}

/// State `k` of every vector of a tile.
#[inline(always)]
pub(super) fn nth<S: Simd, N: Neuron>(state: &[N::State<S>; TILE], k: usize) -> [S::F32; TILE] {
    array(
        #[inline(always)]
        |i| state[i].as_ref()[k],
    )
}
