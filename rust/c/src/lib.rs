//! The room `network` of the crate `bitspike` for C: see `include/bitspike.h`, which a test generates
//! from this file.
//!
//! # The contract
//!
//! A pointer to a network or a state comes from this library and has not been freed; an address with a
//! length, or a text, is readable memory of that kind, or writable where it is called `out`. Null is
//! refused, or holds nothing where the length is 0. A network may serve several threads at once, a
//! state one at a time. No panic leaves a function: it becomes an error.

#![allow(unsafe_code, reason = "what C calls is given addresses")]

mod memory;

use bitspike::network::{self, Input, Output};
use memory::{copy, reference, reference_mut, slice};
use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// A network that was read from a file.
#[derive(Debug)]
pub struct Network(network::Network);

/// What a network keeps between steps.
#[derive(Debug)]
pub struct State(network::State);

thread_local! {
    static ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The result of a body, or what is said of an error, whose message is kept.
fn guarded<T>(otherwise: T, body: impl FnOnce() -> Result<T, String>) -> T {
    let result = catch_unwind(AssertUnwindSafe(body));
    let message = match result {
        Ok(Ok(value)) => return value,
        Ok(Err(message)) => message,
        Err(_) => "internal error in bitspike, please report it".to_owned(),
    };
    ERROR.replace(message);
    otherwise
}

fn text(error: network::Error) -> String {
    error.to_string()
}

/// Reads a network file. NULL if anything in it is not as it must be: `bitspike_error` says what. The
/// bytes are not needed afterwards.
///
/// # Safety
/// By the contract of this file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_load(bytes: *const u8, length: usize) -> *mut Network {
    guarded(ptr::null_mut(), || {
        // SAFETY: by the contract.
        let bytes = unsafe { slice(bytes, length) }?;
        let network = network::Network::from_bytes(bytes).map_err(text)?;
        Ok(Box::into_raw(Box::new(Network(network))))
    })
}

/// Frees a network; NULL is nothing to free.
///
/// # Safety
/// By the contract of this file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_free(network: *mut Network) {
    if !network.is_null() {
        // SAFETY: it came from `bitspike_load`, by the contract.
        drop(unsafe { Box::from_raw(network) });
    }
}

/// A state for so many samples, as before the first step; NULL if there is no such state.
///
/// # Safety
/// By the contract of this file.
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
/// By the contract of this file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_state_free(state: *mut State) {
    if !state.is_null() {
        // SAFETY: it came from `bitspike_state_new`, by the contract.
        drop(unsafe { Box::from_raw(state) });
    }
}

/// Runs one step.
///
/// # Safety
/// By the contract of this file.
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
/// By the contract of this file.
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
/// By the contract of this file.
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
/// By the contract of this file.
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

/// Copies what `find` finds in the output under a name.
///
/// # Safety
/// By the contract of this file.
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
/// By the contract of this file.
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
/// By the contract of this file.
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
/// By the contract of this file.
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
/// By the contract of this file.
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

/// Sets a state back to before the first step.
///
/// # Safety
/// By the contract of this file.
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
/// By the contract of this file.
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
/// By the contract of this file.
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

/// Copies the message of the last error of this thread to `out`, ended by a zero, if `capacity`
/// suffices. Returns how many bytes it takes.
///
/// # Safety
/// By the contract of this file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_error(out: *mut c_char, capacity: usize) -> usize {
    guarded(0, || {
        let message = ERROR.with_borrow(|message| message.replace('\0', " ") + "\0");
        // SAFETY: by the contract.
        Ok(unsafe { copy(message.as_bytes(), out.cast(), capacity) })
    })
}
