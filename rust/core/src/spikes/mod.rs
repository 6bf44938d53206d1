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
//! | bits | how many are set | [`count`](fn@count), [`count_rows`], [`count_axis`] |
//! | bits | times of the first, second, … spike | [`spike_times`] |
//! | bits | positions of the set ones, and back | [`to_indices`], [`from_indices`] |
//! | bits | `(t, b, n)` of each spike, and back | [`to_events`], [`from_events`] |
//! | maps of bits | ORs or sums of windows | [`max_pool`], [`sum_pool`] |
//! | probabilities | random bits | [`bernoulli`] |

mod count;
mod counters;
mod events;
pub(crate) mod indices;
pub mod layout;
mod pack;
mod pool;
mod random;
mod regroup;
mod times;
mod transpose;

pub use count::{count, count_axis, count_rows};
pub use events::{from_events, to_events};
pub use indices::{from_indices, to_indices};
pub use pack::{Bf16, Element, F16, pack, unpack};
pub use pool::{Pool, max_pool, max_pool_gradient, sum_pool};
pub use random::{Stream, bernoulli};
pub use regroup::cut_rows;
pub use times::{spike_times, spike_times_gradient};
pub use transpose::transpose;

use crate::simd::{Isa, Kernel, Simd, dispatch};

/// Runs plain Rust, compiled for `isa`: the compiler finds the vectors by itself.
///
/// `f` must be `#[inline(always)]`, and so must what it calls.
#[inline(always)]
fn compiled_for<R>(isa: Isa, f: impl FnOnce() -> R) -> R {
    struct Plain<F>(F);
    impl<R, F: FnOnce() -> R> Kernel for Plain<F> {
        type Output = R;
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> R {
            (self.0)()
        }
    }
    dispatch(isa, Plain(f))
}
