//! A whole sequence, backward: what is checked, and what is summed over batches.

mod batch;
mod history;

use super::batch::Batch;
use super::feedback::Feedback;
use super::{Connection, Layer, batches};
use crate::Error;
use crate::neuron::Neuron;
use crate::parallel;
use crate::registry::{AnySurrogate, NeuronVisitor};
use crate::simd::Isa;
use crate::tiling::{Strided, split_columns, sum_repeats};
use batch::Job;
use std::marker::PhantomData;

/// The gradients that come in.
#[derive(Clone, Debug)]
pub struct OutputGradients<'a> {
    /// Of the spikes, `[T, B, N]`.
    pub spikes: Strided<'a>,
    /// Per state: of its sequence, `[T, B, N]`.
    pub states: Vec<Strided<'a>>,
    /// Of the spikes of the last step, `[B, N]`, beside what [`spikes`](Self::spikes) says of them.
    pub last_spikes: Strided<'a>,
    /// Per state: of its last value, `[B, N]`.
    pub last: Vec<Strided<'a>>,
}

/// Where the gradients go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Gradients<'a> {
    /// Of the current, `[T, B, N]`; its first step is that of the first recurrent current, and what
    /// follows that of what came back.
    pub current: &'a mut [f32],
    /// Per state: of its initial value, `[B, N]`.
    pub initial: Vec<Option<&'a mut [f32]>>,
    /// Whether to fill the following.
    pub learnable: bool,
    /// Per parameter, in the layout of the parameter's own view.
    pub parameters: Vec<&'a mut [f32]>,
    /// Of the threshold, in the layout of its view.
    pub threshold: &'a mut [f32],
    /// Of the weight of a one-to-one connection, in the layout of its view; not of what the first
    /// recurrent current owes to it.
    pub one_to_one: Option<&'a mut [f32]>,
}

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
    let shape = layer.neurons.shape;
    let states = layer.neurons.neuron.states().len();
    for (what, found) in [
        ("gradients of states", incoming.states.len()),
        ("gradients of last states", incoming.last.len()),
        ("gradients of initial states", gradients.initial.len()),
    ] {
        Error::check_length(what, found, &[states])?;
    }
    for view in incoming.states.iter().chain([&incoming.spikes]) {
        view.check("gradient of a sequence", shape)?;
    }
    for view in incoming.last.iter().chain([&incoming.last_spikes]) {
        view.check("gradient of a last state", shape.once())?;
    }
    Error::check_length("gradient of current", gradients.current.len(), &shape.all())?;
    for out in gradients.initial.iter().flatten() {
        Error::check_length("gradient of an initial state", out.len(), &shape.row())?;
    }
    let learned = learned(layer);
    let outputs = if gradients.learnable {
        let found = gradients.parameters.len();
        Error::check_length(
            "gradients of parameters",
            found,
            &[layer.neurons.parameters.len()],
        )?;
        gradients
            .parameters
            .iter()
            .map(|out| out.len())
            .chain([gradients.threshold.len()])
            .chain(gradients.one_to_one.iter().map(|out| out.len()))
            .collect()
    } else {
        Vec::new()
    };
    if gradients.learnable {
        Error::check_length(
            "gradients of learned numbers",
            outputs.len(),
            &[learned.len()],
        )?;
    }
    for (view, out) in learned.iter().zip(outputs) {
        Error::check_length("gradient of a parameter", out, &[view.data.len()])?;
    }
    layer.neurons.neuron.visit(Backward {
        isa,
        layer,
        surrogate,
        incoming,
        gradients,
    });
    Ok(())
}

/// The views whose gradients a layer can be asked for: parameters, threshold, one-to-one weight.
fn learned<'a>(layer: &'a Layer<'_>) -> Vec<&'a Strided<'a>> {
    let mut views: Vec<_> = layer.neurons.parameters.iter().collect();
    views.push(&layer.neurons.threshold);
    if let Connection::OneToOne(weight) = &layer.connection {
        views.push(weight);
    }
    views
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
        let views = if gradients.learnable {
            learned(layer)
        } else {
            Vec::new()
        };
        // One value per view, sample and neuron; summed below in a fixed order.
        let mut learned = vec![0.0; views.len() * row];
        if row != 0 {
            let feedback = Feedback::new(isa, layer.connection, neurons, true);
            let batches = batches(shape.samples);
            let split = |matrix| {
                split_columns(matrix, row, &batches, |batch| {
                    Batch::columns(batch, neurons)
                })
            };
            let mut current = split(Some(gradients.current));
            let initial = gradients.initial.into_iter();
            let mut initial: Vec<_> = initial.map(&split).collect();
            let mut learned = split(gradients.learnable.then_some(&mut learned[..]));
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
                        neuron: PhantomData::<N>,
                    })
                })
                .collect();
            parallel::for_each(
                jobs,
                layer.work().saturating_mul(2),
                |job: Job<'_, '_, N>| job.run(isa),
            );
        }
        let outputs = gradients.parameters.into_iter();
        let outputs = outputs
            .chain([gradients.threshold])
            .chain(gradients.one_to_one);
        for (k, (view, out)) in views.iter().zip(outputs).enumerate() {
            sum_repeats(view, neurons, &learned[k * row..][..row], out);
        }
    }
}
