//! Spikes as bits: their layout, and everything that reads or writes it without arithmetic.
//!
//! A row of `N` neurons is `⌈N/64⌉` words; neuron `n` is bit `n % 64` of word `n / 64`, and the bits
//! beyond neuron `N - 1` are zero ([`layout`]). Every function here keeps those padding bits zero,
//! and relies on them being zero.
//!
//! | from | to | by |
//! |---|---|---|
//! | numbers | bits | [`pack`](fn@pack) |
//! | bits | numbers | [`unpack`] |
//! | `[R, K]` bits | `[K, R]` bits | [`transpose`](fn@transpose) |
//! | rows of `B·N` bits | rows of `N` bits | [`cut_rows`] |
//! | rows `[C, P]` of bits | rows `[P, C]` of bits | [`swap_axes`] |
//! | bits | how many are set | [`count`](fn@count), [`count_rows`], [`count_axis`], [`density`] |
//! | bits | times of the first, second, … spike | [`spike_times`] |
//! | bits | positions of the set ones, and back | [`to_indices`], [`from_indices`] |
//! | bits | `(t, b, n)` of each spike, and back | [`to_events`], [`from_events`] |
//! | probabilities | random bits | [`bernoulli`] |

mod count;
mod counters;
mod events;
pub(crate) mod indices;
pub mod layout;
mod pack;
mod random;
pub(crate) mod regroup;
pub(crate) mod swap;
mod times;
mod transpose;

pub use count::{count, count_axis, count_rows, density};
pub use events::{from_events, to_events};
pub use indices::{from_indices, to_indices};
pub use pack::{Bf16, Element, F16, pack, unpack};
pub(crate) use random::Uniforms;
pub use random::{Stream, bernoulli};
pub use regroup::cut_rows;
pub use swap::swap_axes;
pub use times::{spike_times, spike_times_gradient};
pub use transpose::transpose;
