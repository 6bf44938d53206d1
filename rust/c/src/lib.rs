//! The room `network` of the crate `bitspike` for C: see `include/bitspike.h`, which a test generates
//! from the files of this folder.
//!
//! # The contract
//!
//! A pointer to a network or a state comes from this library and has not been freed; an address with a
//! length, or a text, is readable memory of that kind, or writable where it is called `out`. Null is
//! refused, or holds nothing where the length is 0. A network may serve several threads at once, a
//! state one at a time. No panic leaves a function: it becomes an error.

#![allow(unsafe_code, reason = "what C calls is given addresses")]

mod error;
mod memory;
mod network;
mod output;
mod state;
mod step;

pub use error::bitspike_error;
pub use network::{Network, bitspike_free, bitspike_load};
pub use output::{bitspike_counts, bitspike_integers, bitspike_numbers, bitspike_spikes};
pub use state::{
    State, bitspike_state_free, bitspike_state_new, bitspike_state_reset, bitspike_state_restore,
    bitspike_state_save,
};
pub use step::{bitspike_step_dense, bitspike_step_events, bitspike_step_words};
