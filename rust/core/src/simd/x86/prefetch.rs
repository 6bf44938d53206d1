//! Asking for memory ahead of its use.

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Hints that `src` will be read soon.
#[inline(always)]
pub(super) fn prefetch(src: &[f32]) {
    /// Floats of a cache line.
    const LINE: usize = 16;
    for line in src.chunks(LINE) {
        // SAFETY: every x86-64 has the instruction, and it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}
