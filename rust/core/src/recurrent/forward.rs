//! A whole sequence, forward.

use super::batch::Batch;
use super::feedback::Feedback;
use super::{Layer, batches};
use crate::Error;
use crate::neuron::Neuron;
use crate::parallel;
use crate::registry::NeuronVisitor;
use crate::simd::{Columns, Isa, Kernel, Simd, dispatch};
use crate::spikes::layout::{WORD_BITS, words};
use crate::tiling::split_columns;
use std::marker::PhantomData;

/// Where the results of [`forward`] go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// Spikes as bits, `[T, B, words(N)]`.
    pub packed: Option<&'a mut [u64]>,
    /// Per state: its value after each step, `[T, B, N]`.
    pub states: Vec<Option<&'a mut [f32]>>,
    /// The spikes of the last step as numbers, `[B, N]`: there must be one.
    pub last_spikes: Option<&'a mut [f32]>,
    /// Per state: its value after the last step, `[B, N]`.
    pub last: Vec<Option<&'a mut [f32]>>,
}

/// Runs the layer over the whole sequence.
///
/// # Errors
/// If a view reaches beyond its buffer, or an output is not as long as the shape asks for.
///
/// # Example
/// ```
/// use bitspike::neuron::{Mechanism, Reset};
/// use bitspike::recurrent::{Connection, Layer, Outputs, forward};
/// use bitspike::registry::NeuronKind;
/// use bitspike::sequence;
/// use bitspike::simd::Isa;
/// use bitspike::tiling::{Shape, Strided};
///
/// let layer = Layer {
///     neurons: sequence::Layer {
///         neuron: NeuronKind::Leaky,
///         reset: Reset { mechanism: Mechanism::Subtract, immediate: false },
///         shape: Shape { steps: 3, samples: 1, neurons: 1 },
///         current: Strided::constant(&0.75),
///         parameters: vec![Strided::constant(&0.5)],
///         threshold: Strided::constant(&1.0),
///         graded_factor: Strided::constant(&1.0),
///         initial: vec![Strided::constant(&0.0)],
///     },
///     connection: Connection::OneToOne(Strided::constant(&0.25)),
///     first: Strided::constant(&0.0),
/// };
/// let (mut spikes, mut membrane) = ([0u64; 3], [0.0f32; 3]);
/// let outputs = Outputs {
///     packed: Some(&mut spikes),
///     states: vec![Some(&mut membrane)],
///     last: vec![None],
///     ..Outputs::default()
/// };
/// forward(Isa::active()?, &layer, outputs)?;
/// assert_eq!(membrane, [0.75, 1.125, 0.5625]); // the spike came back
/// assert_eq!(spikes, [0, 1, 0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn forward(isa: Isa, layer: &Layer<'_>, outputs: Outputs<'_>) -> Result<(), Error> {
    layer.check()?;
    let shape = layer.neurons.shape;
    if let Some(out) = &outputs.packed {
        let packed = [shape.steps, shape.samples, words(shape.neurons)];
        Error::check_length("packed spikes", out.len(), &packed)?;
    }
    let states = layer.neurons.neuron.states().len();
    Error::check_length("outputs of states", outputs.states.len(), &[states])?;
    Error::check_length("outputs of last states", outputs.last.len(), &[states])?;
    for out in outputs.states.iter().flatten() {
        Error::check_length("a state's sequence", out.len(), &shape.all())?;
    }
    for out in outputs.last.iter().chain([&outputs.last_spikes]).flatten() {
        Error::check_length("a last state", out.len(), &shape.row())?;
    }
    if outputs.last_spikes.is_some() && shape.steps == 0 {
        return Err(Error::NoSteps);
    }
    if shape.samples != 0 && shape.neurons != 0 {
        layer.neurons.neuron.visit(Forward {
            isa,
            layer,
            outputs,
        });
    }
    Ok(())
}

struct Forward<'a, 'b> {
    isa: Isa,
    layer: &'a Layer<'a>,
    outputs: Outputs<'b>,
}

impl NeuronVisitor for Forward<'_, '_> {
    type Output = ();

    fn visit<N: Neuron>(self) {
        // Others have been refused; they are not compiled.
        if N::RECURRENT {
            self.run::<N>();
        }
    }
}

impl Forward<'_, '_> {
    fn run<N: Neuron>(self) {
        let Self {
            isa,
            layer,
            outputs,
        } = self;
        let shape = layer.neurons.shape;
        let (neurons, row_words) = (shape.neurons, words(shape.neurons));
        let feedback = Feedback::new(isa, layer.connection, neurons, false);
        let batches = batches(shape.samples);
        let dense_columns = |matrix| {
            split_columns(matrix, shape.samples * neurons, &batches, |batch| {
                Batch::columns(batch, neurons)
            })
        };
        let mut packed = split_columns(
            outputs.packed,
            shape.samples * row_words,
            &batches,
            |batch| Batch::columns(batch, row_words),
        );
        let mut states: Vec<_> = outputs.states.into_iter().map(&dense_columns).collect();
        let mut last_spikes = dense_columns(outputs.last_spikes);
        let mut last: Vec<_> = outputs.last.into_iter().map(&dense_columns).collect();
        let jobs = batches
            .iter()
            .map(|samples| Job {
                batch: Batch::new(layer, &feedback, samples.clone()),
                packed: packed.next().flatten(),
                states: states
                    .iter_mut()
                    .map(|columns| columns.next().flatten())
                    .collect(),
                last_spikes: last_spikes.next().flatten(),
                last: last
                    .iter_mut()
                    .map(|columns| columns.next().flatten())
                    .collect(),
                neuron: PhantomData::<N>,
            })
            .collect();
        parallel::for_each(jobs, layer.work(), |job| dispatch(isa, job));
    }
}

/// A batch through all steps.
struct Job<'a, 'b, N> {
    batch: Batch<'a>,
    packed: Option<Columns<'b, u64>>,
    states: Vec<Option<Columns<'b, f32>>>,
    last_spikes: Option<Columns<'b, f32>>,
    last: Vec<Option<Columns<'b, f32>>>,
    neuron: PhantomData<N>,
}

impl<N: Neuron> Kernel for Job<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // What a neuron does without is not compiled.
        if N::IMMEDIATE && self.batch.layer.neurons.reset.immediate {
            self.steps::<S, true>(simd);
        } else {
            self.steps::<S, false>(simd);
        }
    }
}

impl<N: Neuron> Job<'_, '_, N> {
    #[inline(always)]
    fn steps<S: Simd, const IMMEDIATE: bool>(mut self, simd: S) {
        let batch = &mut self.batch;
        let steps = batch.layer.neurons.shape.steps;
        let mut from = vec![0.0; batch.state::<N>()];
        let mut to = from.clone();
        batch.start(simd, &mut from);
        for t in 0..steps {
            batch.advance::<S, N, IMMEDIATE>(
                simd,
                t,
                &from,
                &mut to,
                #[inline(always)]
                |_, _| {},
            );
            if let Some(packed) = &mut self.packed {
                packed.row(t).copy_from_slice(&batch.spikes);
            }
            for (k, sequence) in self.states.iter_mut().enumerate() {
                if let Some(sequence) = sequence {
                    batch.copy(&to, k, sequence.row(t));
                }
            }
            if t + 1 < steps {
                batch.feed_back(simd);
            }
            std::mem::swap(&mut from, &mut to);
        }
        for (k, last) in self.last.iter_mut().enumerate() {
            if let Some(last) = last {
                batch.copy(&from, k, last.row(0));
            }
        }
        if let Some(last) = &mut self.last_spikes {
            let (neurons, row_words) = (batch.neurons(), words(batch.neurons()));
            let rows = last.row(0).chunks_exact_mut(neurons);
            for (numbers, spikes) in rows.zip(batch.spikes.chunks_exact(row_words)) {
                for (n, number) in numbers.iter_mut().enumerate() {
                    *number = (spikes[n / WORD_BITS] >> (n % WORD_BITS) & 1) as f32;
                }
            }
        }
    }
}
