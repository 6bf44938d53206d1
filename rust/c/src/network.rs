//! Networks of files.

use crate::error::{guarded, text};
use crate::memory::slice;
use bitspike::network;
use std::ptr;

/// A network that was read from a file.
#[derive(Debug)]
pub struct Network(pub(crate) network::Network);

/// Reads a network file. NULL if anything in it is not as it must be: `bitspike_error` says what. The
/// bytes are not needed afterwards.
///
/// # Safety
/// By the contract of the crate.
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
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_free(network: *mut Network) {
    if !network.is_null() {
        // SAFETY: it came from `bitspike_load`, by the contract.
        drop(unsafe { Box::from_raw(network) });
    }
}
