//! The part of DLPack's C interface through which torch describes a tensor.
//!
//! `torch.Tensor.__dlpack_c_exchange_api__` is a capsule with a table of functions (DLPack 1.2,
//! torch 2.10 and later). One of them fills in a [`DlTensor`] for a Python object, which costs a
//! tenth of asking the object for its attributes one by one.

use std::ffi::{CStr, c_int, c_void};

/// The name of the capsule.
pub(crate) const CAPSULE: &CStr = c"dlpack_exchange_api";

/// The version of DLPack whose structures these are; minor versions only add to them.
pub(crate) const MAJOR: u32 = 1;

/// `kDLCPU`
pub(crate) const CPU: i32 = 1;

/// `DLTensor`: where a tensor lies, and how.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct DlTensor {
    pub(crate) data: *mut c_void,
    pub(crate) device_type: i32,
    pub(crate) device_id: i32,
    pub(crate) axes: i32,
    pub(crate) code: u8,
    pub(crate) bits: u8,
    pub(crate) lanes: u16,
    pub(crate) shape: *const i64,
    pub(crate) strides: *const i64,
    pub(crate) byte_offset: u64,
}

/// `DLPackExchangeAPIHeader`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) previous: *const Self,
}

/// Describes a Python object without taking hold of it; on failure, which is not 0, a Python error
/// is set.
pub(crate) type Describe = unsafe extern "C" fn(object: *mut c_void, out: *mut DlTensor) -> c_int;

/// `DLPackExchangeAPI`; functions that are not called here have no types.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct ExchangeApi {
    pub(crate) header: Header,
    pub(crate) allocate: *const c_void,
    pub(crate) take: *const c_void,
    pub(crate) give: *const c_void,
    pub(crate) describe: Option<Describe>,
    pub(crate) current_stream: *const c_void,
}
