//! Programs, against a naive interpreter, a layer of leaky neurons, and numbers worked out by hand.

#[path = "../common/bits.rs"]
mod bits;
#[path = "../common/threads.rs"]
mod threads;
#[path = "../common/views.rs"]
mod views;

mod accuracy;
mod case;
mod errors;
mod leaky;
mod random;
mod reference;
