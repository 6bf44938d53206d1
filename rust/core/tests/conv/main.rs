//! Feature maps: windows and convolutions, against loops that look at one bit at a time.

#[path = "../common/bits.rs"]
mod bits;

mod convolution;
mod pool;
