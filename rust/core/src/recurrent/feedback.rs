//! A connection at work: spikes in, currents out, and gradients the other way.

use super::Connection;
use crate::matmul::dense::{self, Rows};
use crate::matmul::lists::{Lists, sums_of_lists};
use crate::matmul::nonfinite::Nonfinite;
use crate::matmul::packed::Packed;
use crate::matmul::tile_width;
use crate::simd::{Isa, Simd};
use crate::spikes::indices;
use crate::spikes::layout::{WORD_BITS, padded, words};
use crate::tiling::{Strided, Tile};
use std::ops::Range;

/// A connection, laid out for its products.
#[derive(Debug)]
pub(super) struct Feedback<'a> {
    neurons: usize,
    weights: Weights<'a>,
}

#[derive(Debug)]
enum Weights<'a> {
    Dense {
        /// A row for each neuron that fires.
        forward: Packed,
        /// Added last, padded like the tiles.
        bias: Vec<f32>,
        /// Of the rows of `forward`, if any.
        nonfinite: Option<Nonfinite>,
        /// A row for each neuron that receives.
        backward: Option<Packed>,
    },
    OneToOne(Strided<'a>),
}

impl<'a> Feedback<'a> {
    /// The connection of so many neurons; for gradients as well if `both_ways`.
    pub(super) fn new(
        isa: Isa,
        connection: Connection<'a>,
        neurons: usize,
        both_ways: bool,
    ) -> Self {
        let weights = match connection {
            Connection::OneToOne(weight) => Weights::OneToOne(weight),
            Connection::Dense { weight, bias } => {
                let mut padded_bias = vec![0.0; padded(neurons)];
                if let Some(bias) = bias {
                    padded_bias[..neurons].copy_from_slice(bias);
                }
                let width = dense::width(isa.lanes());
                let forward = Packed::new(isa, weight.transposed(), tile_width(isa, neurons));
                Weights::Dense {
                    nonfinite: (!forward.is_finite()).then(|| Nonfinite::new(weight.transposed())),
                    forward,
                    bias: padded_bias,
                    backward: both_ways.then(|| Packed::new(isa, weight, width)),
                }
            }
        };
        Self { neurons, weights }
    }

    /// The currents that the spikes of some samples cause: a row of words each in, of a plane out.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(
        &self,
        simd: S,
        samples: Range<usize>,
        spikes: &[u64],
        out: &mut [f32],
        active: &mut Vec<u32>,
    ) {
        match &self.weights {
            Weights::Dense {
                forward,
                bias,
                nonfinite,
                ..
            } => {
                active.clear();
                let mut starts = [0; super::BATCH + 1];
                for (row, spikes) in spikes.chunks_exact(words(self.neurons)).enumerate() {
                    let start = starts[row];
                    active.resize(start + spikes.len() * WORD_BITS + indices::SLACK, 0);
                    starts[row + 1] = indices::append(spikes, active, start);
                }
                let lists = Lists {
                    starts: &starts[..=samples.len()],
                    inputs: active,
                    factors: None,
                };
                let stride = padded(self.neurons);
                sums_of_lists(simd, forward, bias, lists, out, stride);
                if let Some(nonfinite) = nonfinite {
                    let rows = spikes.chunks_exact(words(self.neurons));
                    for (spikes, out) in rows.zip(out.chunks_exact_mut(stride)) {
                        nonfinite.of_row(spikes, |neuron| out[neuron] = f32::NAN);
                    }
                }
            }
            Weights::OneToOne(weight) => {
                let row_words = words(self.neurons);
                for (row, sample) in samples.enumerate() {
                    for first in (0..self.neurons).step_by(S::LANES) {
                        let weight = self.one_to_one(simd, weight, sample, first);
                        let word = spikes[row * row_words + first / WORD_BITS];
                        let fired = simd.to_mask(word >> (first % WORD_BITS));
                        let spike = simd.select(fired, simd.splat(1.0), simd.splat(0.0));
                        let to = &mut out[row * padded(self.neurons) + first..];
                        simd.store(to, simd.mul(spike, weight));
                    }
                }
            }
        }
    }

    /// The gradients of the spikes of some samples, for those of the currents that they caused: rows
    /// without gaps in, a plane out.
    #[inline(always)]
    pub(super) fn backward<S: Simd>(
        &self,
        simd: S,
        samples: Range<usize>,
        gradient: &[f32],
        out: &mut [f32],
    ) {
        match &self.weights {
            Weights::Dense { backward, .. } => {
                let rows = Rows {
                    data: gradient,
                    len: self.neurons,
                };
                if let Some(weights) = backward {
                    dense::product(simd, rows, weights, out, padded(self.neurons));
                }
            }
            Weights::OneToOne(weight) => {
                for (row, sample) in samples.enumerate() {
                    let gradient = &gradient[row * self.neurons..][..self.neurons];
                    for first in (0..self.neurons).step_by(S::LANES) {
                        let weight = self.one_to_one(simd, weight, sample, first);
                        let gradient = simd.load_partial(&gradient[first..]);
                        let to = &mut out[row * padded(self.neurons) + first..];
                        simd.store(to, simd.mul(gradient, weight));
                    }
                }
            }
        }
    }

    /// One vector of a one-to-one weight.
    #[inline(always)]
    fn one_to_one<S: Simd>(
        &self,
        simd: S,
        weight: &Strided<'_>,
        sample: usize,
        first: usize,
    ) -> S::F32 {
        let vector = Tile {
            sample,
            first,
            width: S::LANES.min(self.neurons - first),
        };
        let [weight] = weight.load::<S, false, 1>(simd, 0, vector);
        weight
    }
}
