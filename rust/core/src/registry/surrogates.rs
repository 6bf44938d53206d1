//! The list of surrogates.

use super::unknown;
use crate::Error;
use crate::simd::{Simd, TILE};
use crate::surrogate::*;

macro_rules! surrogates {
    ($($surrogate:ident),* $(,)?) => {
        /// A surrogate of the registry, with its parameters.
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub enum AnySurrogate {
            $(#[doc = concat!("[`crate::surrogate::", stringify!($surrogate), "`]")]
              $surrogate($surrogate),)*
        }

        impl AnySurrogate {
            /// Name and parameter names of every surrogate.
            pub const ALL: &'static [(&'static str, &'static [&'static str])] =
                &[$(($surrogate::NAME, $surrogate::PARAMETERS)),*];

            /// The surrogate of that name.
            ///
            /// # Errors
            /// [`Error::UnknownName`], or [`Error::Length`] if it takes another number of
            /// parameters.
            pub fn new(name: &str, parameters: &[f32]) -> Result<Self, Error> {
                $(if name == $surrogate::NAME {
                    let sizes = [$surrogate::PARAMETERS.len()];
                    Error::check_length("surrogate parameters", parameters.len(), &sizes)?;
                    return Ok(Self::$surrogate($surrogate::new(parameters)));
                })*
                Err(unknown("surrogate", name, Self::ALL.iter().map(|(name, _)| *name)))
            }

            /// Whether its derivative is exactly 0 outside of a window.
            #[must_use]
            pub const fn is_compact(self) -> bool {
                match self { $(Self::$surrogate(_) => $surrogate::COMPACT,)* }
            }

            /// [`Self::derivative`], compiled once per instruction set and not in every loop of
            /// every neuron.
            #[inline(never)]
            fn outlined<S: Simd>(self, simd: S, x: &mut [S::F32]) {
                simd.vectorize(
                    #[inline(always)]
                    || match self {
                        $(Self::$surrogate(surrogate) => each(simd, surrogate, x),)*
                    },
                );
            }
        }
    };
}

surrogates![
    Atan,
    FastSigmoid,
    Sigmoid,
    StraightThroughEstimator,
    Triangular,
    SpikeRateEscape,
    Heaviside,
    LeakySpikeOperator,
    SparseFastSigmoid,
    Triangle,
    Boxcar,
    Gaussian,
    MultiGaussian,
    SuperSpike,
    Tanh,
    Erfc,
    PiecewiseQuadratic,
    PiecewiseExp,
    Disabled,
];

impl AnySurrogate {
    /// Replaces the first `vectors` of `x = u - θ` by the derivative there.
    ///
    /// The default is compiled into every loop, where it overlaps with the rest of a step. All of
    /// them there would double the time to compile; the others are called.
    #[inline(always)]
    pub(crate) fn derivative<S: Simd>(
        self,
        simd: S,
        mut x: [S::F32; TILE],
        vectors: usize,
    ) -> [S::F32; TILE] {
        if let Self::Atan(atan) = self {
            each(simd, atan, &mut x[..vectors]);
            x
        } else {
            // A call needs them in memory; with a copy there, the other branch keeps registers.
            let mut x = x;
            self.outlined(simd, &mut x[..vectors]);
            x
        }
    }
}

/// Replaces each number by the derivative there.
#[inline(always)]
fn each<S: Simd>(simd: S, surrogate: impl Surrogate, x: &mut [S::F32]) {
    // A loop of known length is unrolled.
    if let Ok(tile) = <&mut [S::F32; TILE]>::try_from(&mut *x) {
        for x in tile {
            *x = surrogate.derivative(simd, *x);
        }
    } else {
        for x in x {
            *x = surrogate.derivative(simd, *x);
        }
    }
}
