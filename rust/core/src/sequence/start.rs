//! What a tile starts from.

use super::Layer;
use crate::neuron::{FiringLanes, Mechanism, Neuron, Vectors};
use crate::simd::{Simd, TILE, array};
use crate::tiling::Tile;

/// Vectors that have constants of their own in a tile of a [plain](Layer::is_plain) layer: the first, whose
/// constants all share. Else all [`TILE`] have.
pub(super) const SHARED: usize = 1;

/// What each of `V` vectors of a tile needs to fire and reset.
#[inline(always)]
pub(crate) fn lanes<S: Simd, N: Neuron, const FULL: bool, const V: usize>(
    simd: S,
    layer: &Layer<'_>,
    tile: Tile,
) -> [FiringLanes<S, N>; V] {
    resetting::<S, N, FULL, V>(simd, layer, layer.reset.mechanism, tile)
}

/// [`lanes`] for a tile: of all its vectors, or where the layer [is plain](Layer::is_plain), one for all,
/// and the compiler knows the reset.
#[inline(always)]
pub(super) fn shared_lanes<S: Simd, N: Neuron, const FULL: bool, const V: usize>(
    simd: S,
    layer: &Layer<'_>,
    tile: Tile,
) -> [FiringLanes<S, N>; V] {
    let mechanism = if V == SHARED {
        Mechanism::Subtract
    } else {
        layer.reset.mechanism
    };
    resetting::<S, N, FULL, V>(simd, layer, mechanism, tile)
}

/// As [`lanes`], for the layer's mechanism.
#[inline(always)]
fn resetting<S: Simd, N: Neuron, const FULL: bool, const V: usize>(
    simd: S,
    layer: &Layer<'_>,
    mechanism: Mechanism,
    tile: Tile,
) -> [FiringLanes<S, N>; V] {
    let threshold: [S::F32; V] = layer.threshold.load_once::<S, FULL, V>(simd, tile);
    let mut parameters = [N::Parameters::<S>::from_fn(|_| simd.splat(0.0)); V];
    for (k, view) in layer.parameters[..N::PARAMETERS.len()].iter().enumerate() {
        let row = view.load_once::<S, FULL, V>(simd, tile);
        for (i, parameters) in parameters.iter_mut().enumerate() {
            parameters.as_mut()[k] = row[i];
        }
    }
    array(
        #[inline(always)]
        |i| FiringLanes::new(simd, mechanism, parameters[i], threshold[i]),
    )
}

/// The states of a tile before the first step.
#[inline(always)]
pub(super) fn initial<S: Simd, N: Neuron, const FULL: bool>(
    simd: S,
    layer: &Layer<'_>,
    tile: Tile,
) -> [N::State<S>; TILE] {
    let mut state = [N::State::<S>::from_fn(|_| simd.splat(0.0)); TILE];
    for (k, view) in layer.initial.iter().enumerate() {
        let row = view.load_once::<S, FULL, TILE>(simd, tile);
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
