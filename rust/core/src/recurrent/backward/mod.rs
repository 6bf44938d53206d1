//! A whole sequence, backward: what is checked, and what is summed over batches.

mod batch;
mod carried;
mod history;

use super::batch::Batch;
use super::feedback::Feedback;
use super::{Connection, Gradients, Layer, OutputGradients, batches};
use crate::Error;
use crate::neuron::Neuron;
use crate::parallel;
use crate::registry::{AnySurrogate, NeuronVisitor};
use crate::simd::{Isa, dispatch};
use crate::tiling::{split_columns, sum_repeats};
use batch::Job;
use std::marker::PhantomData;

/// Sends gradients back through the whole sequence.
///
/// Gradients of parameters are summed over what their view repeats, in a fixed order. That of a dense
/// connection's weight is left to [`crate::matmul::weight_gradient`].
///
/// # Errors
/// If a view reaches beyond its buffer, or an output is not as long as the shape asks for.
pub fn backward(
    isa: Isa,
    layer: &Layer<'_>,
    surrogate: AnySurrogate,
    incoming: &OutputGradients<'_>,
    gradients: Gradients<'_>,
) -> Result<(), Error> {
    layer.check()?;
    incoming.check(layer)?;
    gradients.check(layer)?;
    layer.neurons.neuron.visit(Backward {
        isa,
        layer,
        surrogate,
        incoming,
        gradients,
    });
    Ok(())
}

struct Backward<'a, 'b> {
    isa: Isa,
    layer: &'a Layer<'a>,
    surrogate: AnySurrogate,
    incoming: &'a OutputGradients<'a>,
    gradients: Gradients<'b>,
}

impl NeuronVisitor for Backward<'_, '_> {
    type Output = ();

    fn visit<N: Neuron>(self) {
        // Others have been refused; they are not compiled.
        if N::RECURRENT {
            self.run::<N>();
        }
    }
}

impl Backward<'_, '_> {
    fn run<N: Neuron>(self) {
        let Self {
            isa,
            layer,
            surrogate,
            incoming,
            gradients,
        } = self;
        let shape = layer.neurons.shape;
        let (neurons, row) = (shape.neurons, shape.samples * shape.neurons);
        let Gradients {
            neurons: gradients,
            one_to_one,
        } = gradients;
        // Rows are summed below in a fixed order: one for each parameter and the threshold.
        let rows_if = |wanted: bool, rows: usize| wanted.then(|| vec![0.0; rows * row]);
        let mut learned = rows_if(gradients.learned.is_some(), N::PARAMETERS.len() + 1);
        let mut to_weight = rows_if(one_to_one.is_some(), 1);
        if row != 0 {
            // What comes back at a step is the gradient of the current one step later.
            let mut own = Vec::new();
            let current = gradients.current.unwrap_or_else(|| {
                own.resize(shape.steps * row, 0.0);
                &mut own
            });
            let feedback = Feedback::new(isa, layer.connection, neurons, true);
            let batches = batches(shape.samples);
            let split = |matrix| {
                split_columns(matrix, row, &batches, |batch| {
                    Batch::columns(batch, neurons)
                })
            };
            let mut current = split(Some(current));
            let initial = gradients.initial.into_iter();
            let mut initial: Vec<_> = initial.map(&split).collect();
            let mut learned = split(learned.as_deref_mut());
            let mut to_weight = split(to_weight.as_deref_mut());
            let jobs = batches
                .iter()
                .filter_map(|samples| {
                    Some(Job {
                        batch: Batch::new(layer, &feedback, samples.clone()),
                        surrogate,
                        incoming,
                        current: current.next().flatten()?,
                        initial: initial
                            .iter_mut()
                            .map(|columns| columns.next().flatten())
                            .collect(),
                        learned: learned.next().flatten(),
                        one_to_one: to_weight.next().flatten(),
                        neuron: PhantomData::<N>,
                    })
                })
                .collect();
            let work = layer.work().saturating_mul(2);
            parallel::for_each(jobs, work, |job: Job<'_, '_, N>| dispatch(isa, job));
        }
        if let (Connection::OneToOne(weight), Some(out)) = (&layer.connection, one_to_one)
            && let Some(shares) = to_weight
        {
            sum_repeats(weight, neurons, &shares, out);
        }
        if let (Some(mut gradients), Some(learned)) = (gradients.learned, learned) {
            if let Some(out) = gradients.graded_factor.take() {
                out.fill(0.0);
            }
            gradients.sum(&layer.neurons, &learned);
        }
    }
}
