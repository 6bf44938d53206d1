//! Linear layers with their neurons, one behind another: some samples at a time go through all.
//!
//! What a layer computes for some samples stays in the second-level cache until the next layer has
//! read it, and between layers there are bits alone. A work item is some samples, for all steps: no
//! thread waits for another one between layers.

mod backward;
mod forward;
mod samples;

pub use backward::{Gradients, LayerGradients, Reversed, backward};
pub use forward::{Outputs, forward};

use crate::Error;
use crate::matmul::Matrix;
use crate::sequence;
use crate::tiling::Shape;

/// A linear layer and the neurons that its currents drive.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// `[inputs, neurons]`
    pub weights: Matrix<'a>,
    /// One number for each neuron.
    pub bias: Option<&'a [f32]>,
    /// The neurons; their current is not read.
    pub neurons: sequence::Layer<'a>,
}

impl Layer<'_> {
    /// How many neurons drive it.
    fn inputs(&self) -> usize {
        self.weights.shape()[0]
    }

    /// Checks a layer that so many inputs drive over the steps of all samples.
    fn check(&self, shape: Shape, inputs: usize) -> Result<(), Error> {
        let found = self.neurons.shape;
        let [_, columns] = self.weights.shape();
        Error::check_length("inputs of a layer", inputs, &[self.inputs()])?;
        Error::check_length("neurons of a layer", columns, &[found.neurons])?;
        Error::check_length("steps of a layer", found.steps, &[shape.steps])?;
        Error::check_length("samples of a layer", found.samples, &[shape.samples])?;
        if let Some(bias) = self.bias {
            Error::check_length("bias", bias.len(), &[columns])?;
        }
        self.neurons.check()
    }
}
