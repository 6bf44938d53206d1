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

    /// The currents that the spikes of some samples cause through a dense connection: a row of words
    /// each in, of a plane out.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(
        &self,
        simd: S,
        spikes: &[u64],
        out: &mut [f32],
        active: &mut Vec<u32>,
    ) {
        let Weights::Dense {
            forward,
            bias,
            nonfinite,
            ..
        } = &self.weights
        else {
            return;
        };
        active.clear();
        let mut starts = [0; super::BATCH + 1];
        let rows = spikes.chunks_exact(words(self.neurons));
        let samples = rows.len();
        for (row, spikes) in rows.clone().enumerate() {
            let start = starts[row];
            active.resize(start + spikes.len() * WORD_BITS + indices::SLACK, 0);
            starts[row + 1] = indices::append(spikes, active, start);
        }
        let lists = Lists {
            starts: &starts[..=samples],
            inputs: active,
            factors: None,
        };
        let stride = padded(self.neurons);
        sums_of_lists(simd, forward, bias, lists, out, stride);
        if let Some(nonfinite) = nonfinite {
            for (spikes, out) in rows.zip(out.chunks_exact_mut(stride)) {
                nonfinite.of_row(spikes, |neuron| out[neuron] = f32::NAN);
            }
        }
    }

    /// The gradients of the spikes of some samples, for those of the currents that they caused through a
    /// dense connection: rows without gaps in, a plane out.
    #[inline(always)]
    pub(super) fn backward<S: Simd>(&self, simd: S, gradient: &[f32], out: &mut [f32]) {
        if let Weights::Dense {
            backward: Some(weights),
            ..
        } = &self.weights
        {
            let rows = Rows {
                data: gradient,
                len: self.neurons,
            };
            dense::product(simd, rows, weights, out, padded(self.neurons));
        }
    }

    /// Whether neurons of a sample share the weight by which their spikes come back, if there is one.
    pub(super) fn is_shared(&self) -> bool {
        match &self.weights {
            Weights::Dense { .. } => true,
            Weights::OneToOne(weight) => !weight.per_neuron,
        }
    }

    /// The weights of a vector of neurons whose spikes come back to them alone, which a step multiplies
    /// itself.
    #[inline(always)]
    pub(super) fn one_to_one<S: Simd>(&self, simd: S, vector: Tile) -> Option<S::F32> {
        match &self.weights {
            Weights::Dense { .. } => None,
            Weights::OneToOne(weight) => {
                let [weight] = weight.load::<S, false, 1>(simd, 0, vector);
                Some(weight)
            }
        }
    }
}
