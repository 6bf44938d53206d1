//! Addresses from C as slices and references; the contract is that of the crate.

use std::ptr;

/// The memory of so many elements.
///
/// # Safety
/// By the contract of the crate.
pub(crate) unsafe fn slice<'a, T>(start: *const T, length: usize) -> Result<&'a [T], String> {
    match (start.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err("an address is null".to_owned()),
        // SAFETY: not null, and readable by the contract.
        _ => Ok(unsafe { std::slice::from_raw_parts(start, length) }),
    }
}

/// A reference to what a pointer of this library points to.
///
/// # Safety
/// By the contract of the crate.
pub(crate) unsafe fn reference<'a, T>(pointer: *const T) -> Result<&'a T, String> {
    // SAFETY: null or valid by the contract.
    unsafe { pointer.as_ref() }.ok_or_else(|| "a pointer is null".to_owned())
}

/// As [`reference`], to write.
///
/// # Safety
/// By the contract of the crate.
pub(crate) unsafe fn reference_mut<'a, T>(pointer: *mut T) -> Result<&'a mut T, String> {
    // SAFETY: null or valid, and used by one thread, by the contract.
    unsafe { pointer.as_mut() }.ok_or_else(|| "a pointer is null".to_owned())
}

/// Copies numbers to `out` if there is room for all, and returns how many there are.
///
/// # Safety
/// By the contract of the crate.
pub(crate) unsafe fn copy<T: Copy>(from: &[T], out: *mut T, capacity: usize) -> usize {
    if !out.is_null() && from.len() <= capacity {
        // SAFETY: there is room by the contract, and it is no memory of this library.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), out, from.len()) };
    }
    from.len()
}
