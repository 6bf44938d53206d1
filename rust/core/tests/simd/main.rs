//! Every operation of every token, against plain Rust on one number at a time.

mod floats;
mod integers;
mod lanes;
