//! The tokens of x86-64, all of which have SSE2.

/// Safe one-line methods around intrinsics on registers.
macro_rules! registers {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $ty),*) -> $out {
            // SAFETY: the token proves that the CPU has these instructions; they touch registers only.
            unsafe { $body }
        }
    )*};
}

mod avx2;
mod avx512;
mod counts;
mod joined;
mod prefetch;
mod sse2;
mod transpose;

pub use avx2::Avx2;
pub use avx512::Avx512;
pub use sse2::Sse2;

use super::counts::CountKernel;
use super::{Isa, Kernel, Portable, Simd};

/// Whether the CPU has an instruction set.
pub(super) fn has(isa: Isa) -> bool {
    match isa {
        Isa::Scalar => true,
        Isa::Avx2 => Avx2::detect().is_some(),
        Isa::Avx512 => Avx512::detect().is_some(),
    }
}

/// Runs `kernel` on `isa`, or on the fastest instruction set below it that the CPU has.
pub(super) fn run<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    if isa == Isa::Avx512
        && let Some(simd) = Avx512::detect()
    {
        return vectorized(simd, kernel);
    }
    if isa >= Isa::Avx2
        && let Some(simd) = Avx2::detect()
    {
        return vectorized(simd, kernel);
    }
    vectorized(Sse2, kernel)
}

#[inline(always)]
fn vectorized<S: Simd, K: Kernel>(simd: S, kernel: K) -> K::Output {
    simd.vectorize(
        #[inline(always)]
        || kernel.run(simd),
    )
}

/// Runs a kernel that counts bits on `isa`, or on what comes nearest to it on this CPU.
pub(super) fn run_counts(isa: Isa, kernel: impl CountKernel) {
    if isa == Isa::Avx512
        && let Some(counter) = counts::Avx512Counts::detect()
    {
        return super::counts::vectorized(counter, kernel);
    }
    if isa >= Isa::Avx2
        && let Some(counter) = Avx2::detect()
    {
        return super::counts::vectorized(counter, kernel);
    }
    super::counts::vectorized(Portable, kernel);
}
