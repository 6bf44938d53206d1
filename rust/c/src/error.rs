//! Errors: a function says that there is one, and the thread keeps its message.

use crate::memory::copy;
use bitspike::network;
use std::cell::RefCell;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The result of a body, or what is said of an error, whose message is kept.
pub(crate) fn guarded<T>(otherwise: T, body: impl FnOnce() -> Result<T, String>) -> T {
    let result = catch_unwind(AssertUnwindSafe(body));
    let message = match result {
        Ok(Ok(value)) => return value,
        Ok(Err(message)) => message,
        Err(_) => "internal error in bitspike, please report it".to_owned(),
    };
    ERROR.replace(message);
    otherwise
}

pub(crate) fn text(error: network::Error) -> String {
    error.to_string()
}

/// Copies the message of the last error of this thread to `out`, ended by a zero, if `capacity`
/// suffices. Returns how many bytes it takes.
///
/// # Safety
/// By the contract of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bitspike_error(out: *mut c_char, capacity: usize) -> usize {
    guarded(0, || {
        let message = ERROR.with_borrow(|message| message.replace('\0', " ") + "\0");
        // SAFETY: by the contract.
        Ok(unsafe { copy(message.as_bytes(), out.cast(), capacity) })
    })
}
