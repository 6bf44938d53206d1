//! A whole sequence, backward: gradients through time with a surrogate for the firing step.
//!
//! This file checks, splits the layer into tiles and sums the gradients of parameters; what happens
//! in a tile is in `tile.rs`.

mod history;
mod tile;

use super::{Gradients, Layer, OutputGradients};
use crate::Error;
use crate::neuron::Neuron;
use crate::parallel;
use crate::registry::{AnySurrogate, NeuronVisitor};
use crate::simd::{Isa, dispatch};
use crate::tiling::{Span, spans, split_columns};
use std::marker::PhantomData;
use tile::Job;

/// Sends gradients back through the whole sequence.
///
/// Gradients of parameters are summed over what their view repeats, in a fixed order.
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
    let shape = layer.shape;
    if shape.samples != 0 && shape.neurons != 0 {
        let joined = layer.joined().zip(incoming.joined(shape));
        let (layer, incoming) = match &joined {
            Some((layer, incoming)) => (layer, incoming),
            None => (layer, incoming),
        };
        layer.neuron.visit(Backward {
            isa,
            layer,
            surrogate,
            incoming,
            gradients,
        });
    } else if let Some(learned) = gradients.learned {
        // Without neurons nothing depends on the parameters.
        learned.sum(layer, &[]);
    }
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
        let Self {
            isa,
            layer,
            surrogate,
            incoming,
            gradients,
        } = self;
        let shape = layer.shape;
        let row = shape.samples * shape.neurons;
        // A row per parameter, threshold and graded factor; summed below in a fixed order.
        let rows = gradients.learned.as_ref().map(|_| N::PARAMETERS.len() + 2);
        let mut learned = vec![0.0; rows.unwrap_or(0) * row];

        let spans = spans(isa, shape);
        let columns = |span: Span| span.columns(shape.neurons);
        let jobs: Vec<_> = {
            let mut current = split_columns(gradients.current, row, &spans, columns);
            let initial = gradients.initial.into_iter();
            let mut initial: Vec<_> = initial
                .map(|out| split_columns(out, row, &spans, columns))
                .collect();
            let learned = rows.map(|_| &mut learned[..]);
            let mut learned = split_columns(learned, row, &spans, columns);
            let job = |&span| Job {
                layer,
                surrogate,
                incoming,
                span,
                current: current.next().flatten(),
                initial: initial
                    .iter_mut()
                    .map(|columns| columns.next().flatten())
                    .collect(),
                learned: learned.next().flatten(),
                neuron: PhantomData::<N>,
            };
            spans.iter().map(job).collect()
        };
        parallel::for_each(jobs, 2 * shape.work(), |job| dispatch(isa, job));

        if let Some(gradients) = gradients.learned {
            gradients.sum(layer, &learned);
        }
    }
}
