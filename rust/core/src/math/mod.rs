//! Functions of vectors from plain multiplications and additions, so that every instruction set
//! returns the same bits.

mod exp;

pub(crate) use exp::exp;
