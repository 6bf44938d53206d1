//! Windows that move over feature maps of spikes.
//!
//! The neurons of a row are maps, `[planes, height, width]`. Pooling takes each window for itself:
//!
//! | from | to | by |
//! |---|---|---|
//! | maps of bits | ORs of windows | [`max_pool`], backward [`max_pool_gradient`] |
//! | maps of bits | sums of windows | [`sum_pool`] |

mod pool;
mod windows;

pub use pool::{max_pool, max_pool_gradient, sum_pool};
pub use windows::Windows;
