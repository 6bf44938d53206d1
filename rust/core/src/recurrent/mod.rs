#![doc = include_str!("README.md")]

mod backward;
mod batch;
mod feedback;
mod forward;
mod gradients;

pub use backward::backward;
pub use forward::{Outputs, forward};
pub use gradients::{Gradients, OutputGradients};

use crate::Error;
use crate::matmul::Matrix;
use crate::parallel;
use crate::sequence;
use crate::tiling::{Shape, Strided, cut};
use std::ops::Range;

/// A layer of neurons, and how its spikes come back.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// The neurons and what drives them from outside. Their graded factor is not used: a spike that
    /// comes back counts 1.
    pub neurons: sequence::Layer<'a>,
    /// Where spikes go.
    pub connection: Connection<'a>,
    /// The recurrent current of the first step, `[B, N]`: what the connection makes of the spikes
    /// before it, which may be any numbers.
    pub first: Strided<'a>,
}

/// What spikes pass through on their way back.
#[derive(Clone, Copy, Debug)]
pub enum Connection<'a> {
    /// `W·S + b`
    Dense {
        /// `W`, `[N, N]`: a row for each neuron that receives.
        weight: Matrix<'a>,
        /// `b`
        bias: Option<&'a [f32]>,
    },
    /// `V·S`, with `V` `[B, N]`.
    OneToOne(Strided<'a>),
}

impl Layer<'_> {
    /// Checks every view against the shape.
    fn check(&self) -> Result<(), Error> {
        self.neurons.check()?;
        if !self.neurons.neuron.has_recurrent_layers() {
            return Err(Error::NotRecurrent {
                neuron: self.neurons.neuron.name(),
            });
        }
        let shape = self.neurons.shape;
        self.first.check("first recurrent current", shape.once())?;
        match self.connection {
            Connection::Dense { weight, bias } => {
                for size in weight.shape() {
                    Error::check_length("recurrent weight", size, &[shape.neurons])?;
                }
                bias.map_or(Ok(()), |bias| {
                    Error::check_length("recurrent bias", bias.len(), &[shape.neurons])
                })
            }
            Connection::OneToOne(weight) => weight.check("recurrent weight", shape.once()),
        }
    }

    /// Elementary steps, as [`parallel::for_each`] counts work.
    fn work(&self) -> usize {
        /// Products of a dense connection that take as long as one of them.
        const PRODUCTS: usize = 32;
        let Shape { neurons, .. } = self.neurons.shape;
        let each = match self.connection {
            Connection::Dense { .. } => 1 + neurons / PRODUCTS,
            Connection::OneToOne(_) => 1,
        };
        self.neurons.shape.work().saturating_mul(each)
    }
}

/// Samples of a batch: enough to share each weight that is fetched from the third-level cache.
const BATCH: usize = 32;
/// Rows of a dense product that are computed together.
const ROWS: usize = 8;

/// The samples that each thread takes at a time. How they are grouped changes no result.
fn batches(samples: usize) -> Vec<Range<usize>> {
    let threads = parallel::threads();
    let count = samples.div_ceil(BATCH).next_multiple_of(threads);
    let size = samples.div_ceil(count.max(1)).max(1);
    let size = if size > ROWS {
        size.next_multiple_of(ROWS)
    } else {
        size
    };
    cut(0..samples, size).collect()
}
