//! Recordings of event cameras: what is written is read, in pieces and as a whole; bytes by hand; bytes
//! that are wrong.

mod aedat4;
mod aedat_traps;
mod case;
mod filters;
mod frames;
mod mutations;
mod pieces;
mod traps;
mod written;
