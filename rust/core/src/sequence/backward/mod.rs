//! A whole sequence, backward: gradients through time with a surrogate for the firing step.
//!
//! This file checks, splits the layer into tiles and sums the gradients of parameters; what happens
//! in a tile is in `tile.rs`.

mod finish;
mod history;
mod tile;

use super::errors::ErrorColumns;
use super::{Errors, Gradients, Layer, OutputGradients};
use crate::Error;
use crate::neuron::Neuron;
use crate::parallel;
use crate::registry::{AnySurrogate, NeuronVisitor};
use crate::simd::{Isa, dispatch};
use crate::tiling::{Span, Strided, spans, split_columns};
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
    incoming.check(layer.shape, layer.initial.len())?;
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
            errors: None,
        });
    } else if let Some(learned) = gradients.learned {
        // Without neurons nothing depends on the parameters.
        learned.sum(layer, &[]);
    }
    Ok(())
}

/// As [`backward`] where gradients come in for the spikes only, and writes the errors that are not 0.
/// Returns by how much they decay.
///
/// # Errors
/// As [`backward`], and [`Error::NotFiltered`] if the layer has no [`decay`](Layer::decay).
///
/// Two neurons, of which the second is too far from its threshold for a gradient:
///
/// ```
/// use bitspike::neuron::{Mechanism, Reset};
/// use bitspike::registry::{AnySurrogate, NeuronKind};
/// use bitspike::sequence::{Errors, Gradients, Layer, backward_with_errors};
/// use bitspike::simd::Isa;
/// use bitspike::tiling::{Shape, Strided};
///
/// let zero = Strided::constant(&0.0);
/// let layer = Layer {
///     neuron: NeuronKind::Leaky,
///     reset: Reset { mechanism: Mechanism::Subtract, immediate: false },
///     shape: Shape { steps: 1, samples: 1, neurons: 2 },
///     current: Strided { data: &[0.75, 0.25], time: 2, sample: 2, per_neuron: true },
///     parameters: vec![Strided::constant(&0.5)],
///     threshold: Strided::constant(&1.0),
///     graded_factor: Strided::constant(&1.0),
///     initial: vec![zero],
/// };
/// let (mut active, mut values) = ([0], [0.0; 64]);
/// let errors = Errors { active: &mut active, values: &mut values };
/// let gradients = Gradients { initial: vec![None], ..Gradients::default() };
/// let boxcar = AnySurrogate::new("boxcar", &[0.5])?;
/// let ones = Strided::constant(&1.0);
/// let decay = backward_with_errors(Isa::active()?, &layer, boxcar, ones, gradients, errors)?;
/// assert_eq!((active, values[0], decay), ([0b01], 1.0, 0.5));
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn backward_with_errors(
    isa: Isa,
    layer: &Layer<'_>,
    surrogate: AnySurrogate,
    spikes: Strided<'_>,
    gradients: Gradients<'_>,
    errors: Errors<'_>,
) -> Result<f32, Error> {
    let none = vec![Strided::constant(&0.0); layer.initial.len()];
    let incoming = &OutputGradients {
        spikes,
        states: none.clone(),
        last: none,
    };
    layer.check()?;
    incoming.check(layer.shape, layer.initial.len())?;
    gradients.check(layer)?;
    errors.check(layer.shape)?;
    let decay = layer.decay().ok_or(Error::NotFiltered {
        neuron: layer.neuron.name(),
    })?;
    if layer.shape.work() == 0 {
        backward(isa, layer, surrogate, incoming, gradients)?;
    } else {
        // Not joined: the words of each sample begin anew.
        layer.neuron.visit(Backward {
            isa,
            layer,
            surrogate,
            incoming,
            gradients,
            errors: Some(errors),
        });
    }
    Ok(decay)
}

struct Backward<'a, 'b> {
    isa: Isa,
    layer: &'a Layer<'a>,
    surrogate: AnySurrogate,
    incoming: &'a OutputGradients<'a>,
    gradients: Gradients<'b>,
    errors: Option<Errors<'b>>,
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
            errors,
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
            let mut errors = ErrorColumns::split(errors, shape, &spans);
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
                errors: errors.next().flatten(),
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
