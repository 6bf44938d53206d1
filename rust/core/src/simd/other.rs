//! CPUs that no token but [`Portable`] knows.

use super::counts::{CountKernel, vectorized};
use super::{Isa, Kernel, Portable, Simd};

/// Whether the CPU has an instruction set.
pub(super) fn has(isa: Isa) -> bool {
    isa == Isa::Scalar
}

/// Runs `kernel` on the baseline, whatever `isa` is.
pub(super) fn run<K: Kernel>(_isa: Isa, kernel: K) -> K::Output {
    Portable.vectorize(
        #[inline(always)]
        || kernel.run(Portable),
    )
}

/// The same for kernels that count bits.
pub(super) fn run_counts(_isa: Isa, kernel: impl CountKernel) {
    vectorized(Portable, kernel);
}
