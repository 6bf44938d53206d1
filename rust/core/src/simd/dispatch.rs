//! Choosing an instruction set at run time.

use super::{CountKernel, Isa, Kernel, Simd, cpu};
use crate::Error;
use alloc::borrow::ToOwned;
use core::sync::atomic::{AtomicU8, Ordering};

/// The instruction set in use; `UNSET` until first asked for.
static ACTIVE: AtomicU8 = AtomicU8::new(UNSET);
const UNSET: u8 = u8::MAX;

impl Isa {
    /// Those that this CPU has, slowest first.
    #[must_use]
    pub fn available() -> &'static [Self] {
        // Each instruction set includes those before it.
        const ALL: &[Isa] = &Isa::ALL;
        let fastest = ALL.iter().rposition(|&isa| cpu::has(isa));
        &ALL[..=fastest.unwrap_or(0)]
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
            #[cfg(feature = "std")]
            None => Self::force(std::env::var("BITSPIKE_ISA").ok().as_deref()),
            #[cfg(not(feature = "std"))]
            None => Self::force(None),
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

    /// How many lanes its vectors have.
    #[must_use]
    pub fn lanes(self) -> usize {
        struct Lanes;
        impl Kernel for Lanes {
            type Output = usize;
            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> usize {
                S::LANES
            }
        }
        dispatch(self, Lanes)
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

/// Runs `kernel` on `isa`, or on the fastest instruction set below it that the CPU has.
pub fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    cpu::run(isa, kernel)
}

/// Runs a kernel that counts bits on `isa`, or on what comes nearest to it on this CPU.
pub(crate) fn dispatch_counts(isa: Isa, kernel: impl CountKernel) {
    cpu::run_counts(isa, kernel);
}

/// Runs plain Rust, compiled for `isa`: the compiler finds the vectors by itself.
///
/// `f` must be `#[inline(always)]`, and so must what it calls.
#[inline(always)]
pub(crate) fn compiled_for<R>(isa: Isa, f: impl FnOnce() -> R) -> R {
    struct Plain<F>(F);
    impl<R, F: FnOnce() -> R> Kernel for Plain<F> {
        type Output = R;
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> R {
            (self.0)()
        }
    }
    dispatch(isa, Plain(f))
}
