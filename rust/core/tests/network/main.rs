//! Networks from files: steps are the kernels of whole sequences, bit by bit.

mod case;
mod file;
mod integer_case;
mod integer_refusals;
mod integers;
mod layers;
mod mutations;
mod refusals;
mod sequences;
mod states;
mod traces;
