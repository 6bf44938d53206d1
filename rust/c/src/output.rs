//! What a network has computed at the last step.

use crate::error::{guarded, text};
use crate::memory::{copy, reference};
use crate::network::Network;
use crate::state::State;
use bitspike::network::Output;
use std::ffi::{CStr, c_char};

/// Copies what `find` finds in the output under a name.
///
/// # Safety
/// By the contract of the crate.
unsafe fn output<'a, T: Copy + 'a>(
    (network, state): (*const Network, *const State),
    name: *const c_char,
    (out, capacity): (*mut T, usize),
    find: impl FnOnce(Output<'a>, &str) -> Option<&'a [T]>,
) -> usize {
    guarded(0, || {
        // SAFETY: by the contract.
        let (Network(network), State(state)) = unsafe { (reference(network)?, reference(state)?) };
        if name.is_null() {
            return Err("a name is null".to_owned());
        }
        // SAFETY: a text by the contract.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        let output = network.output(state).map_err(text)?;
        let found = find(output, &name);
        let found = found.ok_or_else(|| format!("there is no such value as {name:?}"))?;
        // SAFETY: by the contract.
        Ok(unsafe { copy(found, out, capacity) })
    })
}

/// Copies the spikes of a value, as rows of words, to `out`, if `capacity` suffices. Returns how many
/// words there are; 0 if there is no such value.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_spikes(
    network: *const Network,
    state: *const State,
    name: *const c_char,
    out: *mut u64,
    capacity: usize,
) -> usize {
    // SAFETY: by the contract.
    unsafe {
        output((network, state), name, (out, capacity), |output, name| {
            output.spikes(name)
        })
    }
}

/// Copies the numbers of a value, an output or a state, of a sample to `out`, if `capacity` suffices.
/// Returns how many there are; 0 if there is no such value.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_numbers(
    network: *const Network,
    state: *const State,
    name: *const c_char,
    sample: usize,
    out: *mut f32,
    capacity: usize,
) -> usize {
    // SAFETY: by the contract.
    unsafe {
        output((network, state), name, (out, capacity), |output, name| {
            output.numbers(name, sample)
        })
    }
}

/// Copies the integers of a value, an output or a state, of a sample to `out`, if `capacity` suffices.
/// Returns how many there are; 0 if there is no such value.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_integers(
    network: *const Network,
    state: *const State,
    name: *const c_char,
    sample: usize,
    out: *mut i32,
    capacity: usize,
) -> usize {
    // SAFETY: by the contract.
    unsafe {
        output((network, state), name, (out, capacity), |output, name| {
            output.integers(name, sample)
        })
    }
}

/// Copies how often each neuron of an output of a sample has fired since the reset to `out`, if
/// `capacity` suffices. Returns how many neurons there are; 0 if there is no such output.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_counts(
    network: *const Network,
    state: *const State,
    name: *const c_char,
    sample: usize,
    out: *mut f32,
    capacity: usize,
) -> usize {
    // SAFETY: by the contract.
    unsafe {
        output((network, state), name, (out, capacity), |output, name| {
            output.counts(name, sample)
        })
    }
}
