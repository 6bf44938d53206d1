//! Functions of vectors, and of numbers that the compiler makes vectors of, from plain multiplications
//! and additions, so that every instruction set returns the same bits.

#[cfg(feature = "std")]
pub(crate) mod circular;
#[cfg(feature = "std")]
pub(crate) mod elementary;
mod exp;

pub(crate) use exp::exp;
