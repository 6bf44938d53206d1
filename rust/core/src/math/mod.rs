//! Functions of vectors, and of numbers that the compiler makes vectors of, from operations that round
//! as IEEE 754 says, so that every instruction set returns the same bits.

#[cfg(feature = "std")]
pub(crate) mod circular;
#[cfg(feature = "std")]
pub(crate) mod elementary;
mod exp;
#[cfg(feature = "std")]
pub(crate) mod sigmoid;

pub(crate) use exp::exp;
