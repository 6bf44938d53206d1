//! What a network keeps between steps: made, set back, saved and restored.

use crate::error::{guarded, text};
use crate::memory::{copy, reference, reference_mut, slice};
use crate::network::Network;
use bitspike::network;
use std::ptr;

/// What a network keeps between steps.
#[derive(Debug)]
pub struct State(pub(crate) network::State);

/// A state for so many samples, as before the first step; NULL if there is no such state.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_state_new(network: *const Network, samples: usize) -> *mut State {
    guarded(ptr::null_mut(), || {
        // SAFETY: by the contract.
        let Network(network) = unsafe { reference(network) }?;
        let state = network.state(samples).map_err(text)?;
        Ok(Box::into_raw(Box::new(State(state))))
    })
}

/// Frees a state; NULL is nothing to free.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_state_free(state: *mut State) {
    if !state.is_null() {
        // SAFETY: it came from `bitspike_state_new`, by the contract.
        drop(unsafe { Box::from_raw(state) });
    }
}

/// Sets a state back to before the first step.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_state_reset(state: *mut State) {
    // SAFETY: by the contract.
    guarded((), || unsafe {
        reference_mut(state)?.0.reset();
        Ok(())
    });
}

/// Copies all that a state holds to `out`, if `capacity` suffices. Returns how many bytes it takes; 0
/// if it is refused.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_state_save(
    network: *const Network,
    state: *const State,
    out: *mut u8,
    capacity: usize,
) -> usize {
    guarded(0, || {
        // SAFETY: by the contract.
        let (Network(network), State(state)) = unsafe { (reference(network)?, reference(state)?) };
        let saved = network.save(state).map_err(text)?;
        // SAFETY: by the contract.
        Ok(unsafe { copy(&saved, out, capacity) })
    })
}

/// Sets a state to what was saved of one of the same network. False if it is refused.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_state_restore(
    network: *const Network,
    state: *mut State,
    bytes: *const u8,
    length: usize,
) -> bool {
    guarded(false, || {
        // SAFETY: by the contract.
        let (Network(network), State(state), bytes) = unsafe {
            (
                reference(network)?,
                reference_mut(state)?,
                slice(bytes, length)?,
            )
        };
        network.restore(state, bytes).map_err(text)?;
        Ok(true)
    })
}
