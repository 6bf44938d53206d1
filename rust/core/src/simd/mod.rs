//! Vector lanes behind one narrow trait, so that every kernel is written once.
//!
//! A type implementing [`Simd`] is a zero-sized *token*: holding one proves that the CPU has the
//! instruction set, so code generic over the token is safe. [`dispatch`] turns the run-time choice
//! ([`Isa`]) into a token and runs a [`Kernel`] with that instruction set enabled.
//!
//! All lane operations are the plain IEEE ones, separately rounded: no fused multiply-add, no
//! vector min/max. A kernel therefore returns the same bits whichever token runs it.
//!
//! This folder holds all the unsafe code of the crate: the intrinsics, and [`Columns`], which
//! hands disjoint columns of one matrix to several threads.

#![allow(
    unsafe_code,
    reason = "the one place where intrinsics and disjoint column access live"
)]

/// Safe one-line methods around intrinsics on registers.
#[cfg(target_arch = "x86_64")]
macro_rules! registers {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $ty),*) -> $out {
            // SAFETY: the token proves that the CPU has these instructions; they touch registers only.
            unsafe { $body }
        }
    )*};
}

/// Hints that `src` will be read soon; both x86 tokens do it this way.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn prefetch(src: &[f32]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    /// Floats of a cache line.
    const LINE: usize = 16;
    for line in src.chunks(LINE) {
        // SAFETY: every x86-64 has the instruction, and it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

mod columns;
mod isa;
mod lanes;
mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

pub use columns::Columns;
pub use isa::{Isa, Kernel, dispatch};
pub use lanes::{PAST_CACHES, Simd, array};
pub use portable::Portable;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
