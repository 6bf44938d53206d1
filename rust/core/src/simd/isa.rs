//! Choosing an instruction set at run time.

use super::{Simd, cpu};
use crate::Error;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set that kernels can run on.
///
/// All of them return the same bits; they differ in speed only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Isa {
    /// What every CPU has: SSE2 on x86-64, else what the compiler makes of plain Rust.
    Scalar,
    /// 8 lanes (x86-64 with AVX2, BMI and POPCNT).
    Avx2,
    /// 16 lanes (x86-64 with AVX-512 F, BW, DQ and VL).
    Avx512,
}

/// The instruction set in use; `UNSET` until first asked for.
static ACTIVE: AtomicU8 = AtomicU8::new(UNSET);
const UNSET: u8 = u8::MAX;

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

    /// Those that this CPU has, slowest first.
    #[must_use]
    pub fn available() -> &'static [Self] {
        static AVAILABLE: OnceLock<Vec<Isa>> = OnceLock::new();
        AVAILABLE.get_or_init(|| Self::ALL.into_iter().filter(|&isa| cpu::has(isa)).collect())
    }

    /// The instruction set that kernels use: the fastest available, unless [`Isa::force`] or the
    /// environment variable `BITSPIKE_ISA` says otherwise.
    ///
    /// # Errors
    /// [`Error::UnknownIsa`] or [`Error::MissingIsa`] if `BITSPIKE_ISA` names one that does not
    /// exist or that the CPU lacks.
    pub fn active() -> Result<Self, Error> {
        let active = ACTIVE.load(Ordering::Relaxed);
        match Self::ALL.get(usize::from(active)) {
            Some(&isa) => Ok(isa),
            None => Self::force(std::env::var("BITSPIKE_ISA").ok().as_deref()),
        }
    }

    /// Makes every later call use the instruction set of that name, or the fastest for `None`.
    ///
    /// # Errors
    /// As [`Isa::active`]; the choice in force stays.
    pub fn force(name: Option<&str>) -> Result<Self, Error> {
        let isa = match name {
            None | Some("") => *Self::available().last().unwrap_or(&Self::Scalar),
            Some(name) => Self::parse(name)?,
        };
        ACTIVE.store(isa as u8, Ordering::Relaxed);
        Ok(isa)
    }

    fn parse(name: &str) -> Result<Self, Error> {
        let isa = Self::ALL
            .into_iter()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| Error::UnknownIsa {
                name: name.to_owned(),
            })?;
        if Self::available().contains(&isa) {
            Ok(isa)
        } else {
            Err(Error::MissingIsa { name: isa.name() })
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

/// Runs `kernel` on `isa`, or on the fastest instruction set below it that the CPU has.
pub fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    cpu::run(isa, kernel)
}
