//! Steps, for each form of their input.

use crate::error::{guarded, text};
use crate::memory::{reference, reference_mut, slice};
use crate::network::Network;
use crate::state::State;
use bitspike::network::Input;

/// Runs one step.
///
/// # Safety
/// By the contract of the crate.
unsafe fn step(
    network: *const Network,
    state: *mut State,
    input: Result<Input<'_>, String>,
) -> Result<bool, String> {
    // SAFETY: by the contract.
    let (Network(network), State(state)) = unsafe { (reference(network)?, reference_mut(state)?) };
    network.step(state, input?).map_err(text)?;
    Ok(true)
}

/// Runs one step of inputs that fire: input n of sample b is b * N + n. False if it is refused.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_step_events(
    network: *const Network,
    state: *mut State,
    events: *const u32,
    count: usize,
) -> bool {
    // SAFETY: by the contract.
    guarded(false, || unsafe {
        step(network, state, slice(events, count).map(Input::Events))
    })
}

/// Runs one step of spikes as bits: for each sample a row of whole words, input 0 in the lowest bit of
/// the first. False if it is refused.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_step_words(
    network: *const Network,
    state: *mut State,
    words: *const u64,
    count: usize,
) -> bool {
    // SAFETY: by the contract.
    guarded(false, || unsafe {
        step(network, state, slice(words, count).map(Input::Words))
    })
}

/// Runs one step of numbers, a row for each sample. False if it is refused.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_step_dense(
    network: *const Network,
    state: *mut State,
    numbers: *const f32,
    count: usize,
) -> bool {
    // SAFETY: by the contract.
    guarded(false, || unsafe {
        step(network, state, slice(numbers, count).map(Input::Dense))
    })
}
