//! How a sequence `[T, B, N]` is cut up, read and written: what [`crate::sequence`],
//! [`crate::recurrent`] and [`crate::scan`] share.
//!
//! # Glossary
//!
//! | word | means |
//! |---|---|
//! | row | one value for each neuron of a sample, or of all samples of a step |
//! | vector | `S::LANES` neighbouring neurons of a sample, in one register |
//! | tile | at most eight vectors of a sample: what goes through time in registers; of a program, some blocks |
//! | span | tiles of one sample, one after another: what one thread takes |
//! | batch | some samples of a recurrent layer, which one thread takes through all steps |
//! | group | rows of a scan that share a decay |
//! | columns | what one thread owns of every row of a matrix ([`Columns`](crate::simd::Columns)) |
//! | chunk | steps that backward recomputes at a time; in a product, rows of spikes |
//! | plane | a padded row for each sample of a batch: one quantity at one step |
//! | piece | work between two places where a call can be interrupted |
//!
//! Products cut the columns of their weights into tiles too, and their inputs into blocks and slabs
//! of blocks ([`crate::matmul`]).

mod shape;
mod split;
mod strided;
mod tile;

pub use shape::Shape;
pub(crate) use split::{split_columns, sum_repeats};
pub use strided::Strided;
pub(crate) use strided::{AHEAD, Row};
pub(crate) use tile::{Span, Tile, cut, spans, spans_of, store, write};
