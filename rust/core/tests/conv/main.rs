//! Feature maps: windows and convolutions, against loops that look at one bit at a time.

#[path = "../common/bits.rs"]
mod bits;
#[path = "../common/errors.rs"]
mod errors;
#[path = "../common/threads.rs"]
mod threads;
#[path = "../common/views.rs"]
mod views;

mod convolution;
mod input_gradient;
mod loops;
mod pool;
