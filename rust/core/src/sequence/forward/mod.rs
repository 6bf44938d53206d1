//! A whole sequence, forward.
//!
//! This file checks and splits the layer into tiles; what happens in a tile is in `tile.rs`.

mod tile;

use super::Layer;
use crate::Error;
use crate::neuron::Neuron;
use crate::parallel;
use crate::registry::NeuronVisitor;
use crate::simd::Isa;
use crate::spikes::cut_rows;
use crate::spikes::layout::words;
use crate::tiling::{Shape, spans, split_columns};
use std::marker::PhantomData;
use tile::Job;

/// Where the results of [`forward`] go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// Spikes as bits, `[T, B, words(N)]`.
    pub packed: Option<&'a mut [u64]>,
    /// Spikes as numbers, `γ` or 0, `[T, B, N]`.
    pub dense: Option<&'a mut [f32]>,
    /// Per state: its value after each step, `[T, B, N]`.
    pub states: Vec<Option<&'a mut [f32]>>,
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
/// use bitspike::registry::NeuronKind;
/// use bitspike::sequence::{Layer, Outputs, forward};
/// use bitspike::simd::Isa;
/// use bitspike::tiling::{Shape, Strided};
///
/// let layer = Layer {
///     neuron: NeuronKind::Leaky,
///     reset: Reset { mechanism: Mechanism::Subtract, immediate: false },
///     shape: Shape { steps: 4, samples: 1, neurons: 1 },
///     current: Strided::constant(&0.75),
///     parameters: vec![Strided::constant(&0.5)],
///     threshold: Strided::constant(&1.0),
///     graded_factor: Strided::constant(&1.0),
///     initial: vec![Strided::constant(&0.0)],
/// };
/// let (mut spikes, mut membrane) = ([0u64; 4], [0.0f32; 4]);
/// let outputs = Outputs {
///     packed: Some(&mut spikes),
///     states: vec![Some(&mut membrane)],
///     last: vec![None],
///     ..Outputs::default()
/// };
/// forward(Isa::active()?, &layer, outputs)?;
/// assert_eq!(membrane, [0.75, 1.125, 0.3125, 0.90625]);
/// assert_eq!(spikes, [0, 1, 0, 0]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn forward(isa: Isa, layer: &Layer<'_>, outputs: Outputs<'_>) -> Result<(), Error> {
    layer.check()?;
    let shape = layer.shape;
    let packed = [shape.steps, shape.samples, words(shape.neurons)];
    if let Some(out) = &outputs.packed {
        Error::check_length("packed spikes", out.len(), &packed)?;
    }
    if let Some(out) = &outputs.dense {
        Error::check_length("dense spikes", out.len(), &shape.all())?;
    }
    let states = layer.neuron.states().len();
    Error::check_length("outputs of states", outputs.states.len(), &[states])?;
    Error::check_length("outputs of last states", outputs.last.len(), &[states])?;
    for out in outputs.states.iter().flatten() {
        Error::check_length("a state's sequence", out.len(), &shape.all())?;
    }
    for out in outputs.last.iter().flatten() {
        Error::check_length("a last state", out.len(), &shape.row())?;
    }
    let silent = outputs.packed.is_none() && outputs.dense.is_none() || shape.steps == 0;
    let wanted = |states: &[Option<_>]| states.iter().any(Option::is_some);
    let nothing =
        silent && !wanted(&outputs.last) && (shape.steps == 0 || !wanted(&outputs.states));
    if !nothing && shape.samples != 0 && shape.neurons != 0 {
        run(isa, layer, outputs);
    }
    Ok(())
}

/// Runs a layer that has been checked.
fn run(isa: Isa, layer: &Layer<'_>, outputs: Outputs<'_>) {
    let Some(joined) = layer.joined() else {
        return layer.neuron.visit(Forward {
            isa,
            layer,
            outputs,
        });
    };
    let Shape {
        steps,
        samples,
        neurons,
    } = layer.shape;
    let row = words(joined.shape.neurons);
    let mut bits = vec![0; outputs.packed.as_ref().map_or(0, |_| steps * row)];
    layer.neuron.visit(Forward {
        isa,
        layer: &joined,
        outputs: Outputs {
            packed: outputs.packed.is_some().then_some(&mut bits),
            dense: outputs.dense,
            states: outputs.states,
            last: outputs.last,
        },
    });
    if let Some(packed) = outputs.packed {
        cut_rows(&bits, steps, samples, neurons, packed).expect("lengths follow from the shape");
    }
}

struct Forward<'a, 'b> {
    isa: Isa,
    layer: &'a Layer<'a>,
    outputs: Outputs<'b>,
}

impl NeuronVisitor for Forward<'_, '_> {
    type Output = ();

    fn visit<N: Neuron>(self) {
        let Self {
            isa,
            layer,
            outputs,
        } = self;
        let shape = layer.shape;
        let (row, row_words) = (
            shape.samples * shape.neurons,
            shape.samples * words(shape.neurons),
        );
        let spans = spans(isa, shape);
        let dense_columns =
            |matrix| split_columns(matrix, row, &spans, |span| span.columns(shape.neurons));
        let mut packed = split_columns(outputs.packed, row_words, &spans, |span| {
            span.words(shape.neurons)
        });
        let mut dense = dense_columns(outputs.dense);
        let mut states: Vec<_> = outputs.states.into_iter().map(&dense_columns).collect();
        let mut last: Vec<_> = outputs.last.into_iter().map(&dense_columns).collect();
        let jobs = spans
            .iter()
            .map(|&span| Job {
                layer,
                span,
                packed: packed.next().flatten(),
                dense: dense.next().flatten(),
                states: states
                    .iter_mut()
                    .map(|columns| columns.next().flatten())
                    .collect(),
                last: last
                    .iter_mut()
                    .map(|columns| columns.next().flatten())
                    .collect(),
                carried: Vec::new(),
                neuron: PhantomData::<N>,
            })
            .collect();
        parallel::for_each(jobs, shape.work(), |job: Job<'_, '_, N>| job.run(isa));
    }
}
