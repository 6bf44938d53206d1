//! The instruction sets, and what can run on any of them.

use super::Simd;

/// An instruction set that kernels can run on.
///
/// All of them return the same bits; they differ in speed only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Isa {
    /// What every CPU has: SSE2 on x86-64, else what the compiler makes of plain Rust.
    Scalar,
    /// 8 lanes (x86-64 with AVX2, FMA, BMI and POPCNT).
    Avx2,
    /// 16 lanes (x86-64 with AVX-512 F, BW, DQ and VL).
    Avx512,
}

impl Isa {
    /// Every instruction set, slowest first.
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Avx2, Self::Avx512];

    /// Its name, as `BITSPIKE_ISA` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// Work that can run on any instruction set.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// Does the work. Mark implementations `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}
