//! Convolutions of spikes, and windows that move over their feature maps.
//!
//! The neurons of a row are maps, `[channels, height, width]`, or pixels, `[height, width, channels]`:
//! their [`Order`]. Pooling takes each map for itself.
//!
//! | from | to | by |
//! |---|---|---|
//! | maps of bits | ORs of windows | [`max_pool`], backward [`max_pool_gradient`] |
//! | maps of bits | sums of windows | [`sum_pool`] |
//! | maps or pixels of bits, weights | maps or pixels of sums | [`convolve`], backward [`weight_gradient`] |
//! | maps or pixels of errors, weights | gradients of the bits | [`input_gradient`] |
//!
//! # Convolution
//!
//! A spike is 0 or 1, so an output is a sum of weights: of those whose tap meets a spike. In pixel
//! order the channels of a pixel lie side by side, and so do the pixels of a line. The taps of a line
//! of the kernel therefore meet one run of inputs, and the active ones among them are one run of a list
//! that is made once for a sample (`taps.rs`).
//!
//! * From 32 outputs on, sums stay in registers: a pixel's runs are joined to one list of weights, and
//!   one loop adds these (`prepared.rs`). Up to four vectors of outputs, two neighbouring pixels share a
//!   list: most inputs of one are inputs of the other.
//! * With fewer outputs an event adds all that it reaches in a line, taps times outputs, to a line of
//!   sums in the first-level cache (`scatter.rs`): no loop is shorter than the events of a line.
//!
//! Both add in ascending order of the weights, line by line of the kernel: their bits are equal.
//!
//! Backward, an error of an output adds its products with a line of taps to one run of inputs, those of one
//! pixel together (`reach.rs`).
//!
//! Sums arise pixel by pixel. Where maps are wanted, those of a sample are transposed while they lie in
//! the second-level cache.

mod convolution;
mod dense;
mod forward;
mod input_gradient;
mod pool;
mod pool_pixels;
mod prepared;
mod reach;
mod scatter;
mod taps;
mod weight_gradient;
mod windows;

pub use convolution::{Convolution, Order, Orders};
pub use dense::{gradient_prefers_dense, prefers_dense};
pub use forward::convolve;
pub use input_gradient::input_gradient;
pub use pool::{max_pool, max_pool_gradient, sum_pool};
pub(crate) use pool::{max_row, sum_row};
pub(crate) use prepared::Prepared;
pub(crate) use taps::Taps;
pub use weight_gradient::weight_gradient;
pub use windows::Windows;
