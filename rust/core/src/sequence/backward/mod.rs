//! A whole sequence, backward: gradients through time with a surrogate for the firing step.
//!
//! This file checks, splits the layer into tiles and sums the gradients of parameters; what happens
//! in a tile is in `tile.rs`.

mod history;
mod tile;

use super::Layer;
use crate::Error;
use crate::neuron::Neuron;
use crate::parallel;
use crate::registry::{AnySurrogate, NeuronVisitor};
use crate::simd::Isa;
use crate::tiling::{Span, Strided, spans, split_columns, sum_repeats};
use std::marker::PhantomData;
use tile::Job;

/// The gradients that come in.
#[derive(Clone, Debug)]
pub struct OutputGradients<'a> {
    /// Of the spikes, `[T, B, N]`.
    pub spikes: Strided<'a>,
    /// Per state: of its sequence, `[T, B, N]`.
    pub states: Vec<Strided<'a>>,
    /// Per state: of its last value, `[B, N]`.
    pub last: Vec<Strided<'a>>,
}

/// Where the gradients go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// Of the current, `[T, B, N]`.
    pub current: Option<&'a mut [f32]>,
    /// Per state: of its initial value, `[B, N]`.
    pub initial: Vec<Option<&'a mut [f32]>>,
    /// Whether to fill the following.
    pub learnable: bool,
    /// Per parameter, in the layout of the parameter's own view.
    pub parameters: Vec<&'a mut [f32]>,
    /// Of the threshold, in the layout of its view.
    pub threshold: &'a mut [f32],
    /// Of the graded factor, in the layout of its view.
    pub graded_factor: &'a mut [f32],
}

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
    let shape = layer.shape;
    let states = layer.neuron.states().len();
    Error::check_length("gradients of states", incoming.states.len(), &[states])?;
    Error::check_length("gradients of last states", incoming.last.len(), &[states])?;
    Error::check_length(
        "gradients of initial states",
        gradients.initial.len(),
        &[states],
    )?;
    incoming.spikes.check("gradient of spikes", shape)?;
    for view in &incoming.states {
        view.check("gradient of a state", shape)?;
    }
    for view in &incoming.last {
        view.check("gradient of a last state", shape.once())?;
    }
    if let Some(out) = &gradients.current {
        Error::check_length("gradient of current", out.len(), &shape.all())?;
    }
    for out in gradients.initial.iter().flatten() {
        Error::check_length("gradient of an initial state", out.len(), &shape.row())?;
    }
    if gradients.learnable {
        let parameters = layer.parameters.len();
        Error::check_length(
            "gradients of parameters",
            gradients.parameters.len(),
            &[parameters],
        )?;
        let of_parameters = layer.parameters.iter().zip(&gradients.parameters);
        for (view, out) in of_parameters.map(|(view, out)| (view, out.len())).chain([
            (&layer.threshold, gradients.threshold.len()),
            (&layer.graded_factor, gradients.graded_factor.len()),
        ]) {
            Error::check_length("gradient of a parameter", out, &[view.data.len()])?;
        }
    }
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
    } else if gradients.learnable {
        clear(gradients);
    }
    Ok(())
}

/// Without neurons nothing depends on the parameters.
fn clear(gradients: Gradients<'_>) {
    let parameters = gradients.parameters.into_iter();
    for out in parameters.chain([gradients.threshold, gradients.graded_factor]) {
        out.fill(0.0);
    }
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
        // One value per parameter, sample and neuron; summed below in a fixed order.
        let learnable = N::PARAMETERS.len() + 2;
        let mut learned = vec![
            0.0;
            if gradients.learnable {
                learnable * row
            } else {
                0
            }
        ];

        let spans = spans(isa, shape);
        let columns = |span: Span| span.columns(shape.neurons);
        let jobs: Vec<_> = {
            let mut current = split_columns(gradients.current, row, &spans, columns);
            let initial = gradients.initial.into_iter();
            let mut initial: Vec<_> = initial
                .map(|out| split_columns(out, row, &spans, columns))
                .collect();
            let learned = gradients.learnable.then_some(&mut learned[..]);
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
        parallel::for_each(jobs, 2 * shape.work(), |job| job.run(isa));

        if gradients.learnable {
            let views = layer
                .parameters
                .iter()
                .chain([&layer.threshold, &layer.graded_factor]);
            let outputs = gradients.parameters.into_iter();
            let outputs = outputs.chain([gradients.threshold, gradients.graded_factor]);
            for ((view, out), values) in views.zip(outputs).zip(learned.chunks(row)) {
                sum_repeats(view, shape.neurons, values, out);
            }
        }
    }
}
