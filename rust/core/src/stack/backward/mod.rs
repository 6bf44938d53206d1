//! The way back through a stack.
//!
//! Some samples at a time go from the last layer to the first: their currents are computed anew from
//! the spikes that entered the layer. Samples are cut into a few groups, each with sums of its own, and
//! groups are added in order, so that the gradients are the same for any number of threads. With as
//! many groups as threads, a thread takes whole groups and waits for nobody; with fewer, all threads
//! share each kernel of one group after another.

mod group;
mod reversed;
mod sums;

use reversed::Prepared;
pub use reversed::Reversed;

use crate::simd::Isa;
use crate::spikes::layout::check_padded;
use crate::tiling::{Shape, Strided, cut, split_columns};
use crate::{Error, parallel};
use group::Group;
use std::ops::Range;
use sums::{Own, Sums};

/// Groups at most.
const GROUPS: usize = 16;
/// Bytes that the sums of all groups may take for each neuron-step, where two groups take less.
const BYTES_OF_SUMS: f64 = 0.25;

/// Where the gradients go.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// Those of each layer.
    pub layers: Vec<LayerGradients<'a>>,
    /// That of the spikes that entered the first layer, `[T, B, inputs]`; not computed if `None`.
    pub input: Option<&'a mut [f32]>,
}

/// Where the gradients of a layer go; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct LayerGradients<'a> {
    /// Of the weights, transposed: `[neurons, inputs]`.
    pub weights: Option<&'a mut [f32]>,
    /// Of the bias.
    pub bias: Option<&'a mut [f32]>,
    /// Per state: of its initial value, `[B, N]`.
    pub initial: Vec<Option<&'a mut [f32]>>,
}

/// Sends the gradient of the last layer's spikes back through all layers, `at_a_time` samples at a time.
///
/// # Arguments
/// * `shape`: steps, samples and neurons of the spikes that entered the first layer.
/// * `spikes`: the gradient of the spikes of the last layer, `[T, B, N]`.
///
/// # Errors
/// If a length does not fit, a view reaches beyond its buffer, or spikes have padding bits set.
///
/// # Example
/// One step of one neuron, which is at its threshold:
/// ```
/// use bitspike::matmul::Matrix;
/// use bitspike::neuron::{Mechanism, Reset};
/// use bitspike::registry::{AnySurrogate, NeuronKind};
/// use bitspike::sequence;
/// use bitspike::simd::Isa;
/// use bitspike::stack::{Gradients, Layer, LayerGradients, Reversed, backward};
/// use bitspike::tiling::{Shape, Strided};
///
/// let shape = Shape { steps: 1, samples: 1, neurons: 2 };
/// let layer = Layer {
///     weights: Matrix::new("weights", &[1.0, 3.0], [2, 1], [1, 1])?,
///     bias: None,
///     neurons: sequence::Layer {
///         neuron: NeuronKind::Leaky,
///         reset: Reset { mechanism: Mechanism::Subtract, immediate: false },
///         shape: Shape { neurons: 1, ..shape },
///         current: Strided::constant(&0.0),
///         parameters: vec![Strided::constant(&0.5)],
///         threshold: Strided::constant(&1.0),
///         graded_factor: Strided::constant(&1.0),
///         initial: vec![Strided::constant(&0.0)],
///     },
/// };
/// let (mut weights, mut input) = ([0.0; 2], [0.0; 2]);
/// let reversed = Reversed {
///     layer,
///     surrogate: AnySurrogate::new("boxcar", &[0.5])?,
///     spikes: &[0b01],
///     last: None,
/// };
/// let ones = Strided::constant(&1.0);
/// let gradients = Gradients {
///     layers: vec![LayerGradients { weights: Some(&mut weights), bias: None, initial: vec![None] }],
///     input: Some(&mut input),
/// };
/// backward(Isa::active()?, shape, &[reversed], ones, gradients, 1)?;
/// assert_eq!((weights, input), ([1.0, 0.0], [1.0, 3.0]));
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn backward(
    isa: Isa,
    shape: Shape,
    layers: &[Reversed<'_>],
    spikes: Strided<'_>,
    gradients: Gradients<'_>,
    at_a_time: usize,
) -> Result<(), Error> {
    check(shape, layers, &spikes, &gradients)?;
    let (mut outputs, initial): (Vec<_>, Vec<_>) = gradients
        .layers
        .into_iter()
        .map(|of| {
            (
                Sums {
                    weights: of.weights,
                    bias: of.bias,
                },
                of.initial,
            )
        })
        .unzip();
    outputs.iter_mut().for_each(Sums::clear);

    let blocks: Vec<_> = cut(0..shape.samples, at_a_time.max(1)).collect();
    let groups = groups(shape, layers).clamp(1, blocks.len().max(1));
    let per_group = blocks.len().div_ceil(groups).max(1);
    let parts: Vec<_> = blocks.chunks(per_group).collect();
    let mut others: Vec<Vec<Own>> = parts
        .iter()
        .skip(1)
        .map(|_| outputs.iter().map(Own::like).collect())
        .collect();
    let prepared: Vec<_> = layers.iter().map(|pass| Prepared::new(isa, pass)).collect();
    let mut jobs = Vec::new();
    let columns = |blocks: &[Range<usize>], row: usize| {
        let (first, last) = (&blocks[0], &blocks[blocks.len() - 1]);
        first.start * row..last.end * row
    };
    let row = shape.neurons;
    let of_part = |blocks| columns(blocks, row);
    let mut input = split_columns(gradients.input, shape.samples * row, &parts, of_part);
    let mut states: Vec<Vec<_>> = initial
        .into_iter()
        .zip(layers)
        .map(|(states, pass)| {
            let row = pass.layer.neurons.shape.neurons;
            let split = |out| {
                let of_part = |blocks| columns(blocks, row);
                split_columns(out, shape.samples * row, &parts, of_part)
            };
            states.into_iter().map(split).collect()
        })
        .collect();
    let own = others
        .iter_mut()
        .map(|sums| sums.iter_mut().map(Own::sums).collect());
    let first = outputs.iter_mut().map(Sums::reborrow).collect();
    for (&blocks, sums) in parts.iter().zip(std::iter::once(first).chain(own)) {
        jobs.push(Group {
            shape,
            layers: &prepared,
            upstream: spikes,
            blocks,
            sums,
            initial: states
                .iter_mut()
                .map(|of_layer| of_layer.iter_mut().map(|x| x.next().flatten()).collect())
                .collect(),
            input: input.next().flatten(),
        });
    }
    let work = layers.iter().map(|pass| pass.layer.neurons.shape.work());
    let work = 4 * work.sum::<usize>();
    if jobs.len() >= parallel::threads() {
        parallel::for_each(jobs, work, |job| job.run(isa));
    } else {
        jobs.into_iter().for_each(|job| job.run(isa));
    }
    for group in &others {
        for (output, sums) in outputs.iter_mut().zip(group) {
            output.add(sums);
        }
    }
    for (output, pass) in outputs.iter_mut().zip(layers) {
        let [inputs, neurons] = pass.layer.weights.shape();
        output.finish(isa, inputs, neurons);
    }
    Ok(())
}

/// Checks every length.
fn check(
    shape: Shape,
    layers: &[Reversed<'_>],
    spikes: &Strided<'_>,
    gradients: &Gradients<'_>,
) -> Result<(), Error> {
    let Shape {
        steps,
        samples,
        neurons: mut inputs,
    } = shape;
    if let Some(input) = &gradients.input {
        Error::check_length("the gradient of spikes", input.len(), &shape.all())?;
    }
    let found = gradients.layers.len();
    Error::check_length("gradients of layers", found, &[layers.len()])?;
    for (reversed, of_layer) in layers.iter().zip(&gradients.layers) {
        reversed.layer.check(shape, inputs)?;
        check_padded(reversed.spikes, steps * samples, inputs)?;
        let neurons = reversed.layer.neurons.shape;
        let states = reversed.layer.neurons.neuron.states().len();
        let LayerGradients {
            weights,
            bias,
            initial,
        } = of_layer;
        if let Some(weights) = weights {
            let lengths = [neurons.neurons, inputs];
            Error::check_length("the gradient of weights", weights.len(), &lengths)?;
        }
        if let Some(bias) = bias {
            Error::check_length("the gradient of a bias", bias.len(), &[neurons.neurons])?;
        }
        Error::check_length("gradients of initial states", initial.len(), &[states])?;
        for out in initial.iter().flatten() {
            Error::check_length("gradient of an initial state", out.len(), &neurons.row())?;
        }
        if let Some(last) = &reversed.last {
            Error::check_length("gradients of last states", last.len(), &[states])?;
            for view in last {
                view.check("gradient of a last state", neurons.once())?;
            }
        }
        inputs = neurons.neurons;
    }
    spikes.check(
        "gradient of spikes",
        Shape {
            neurons: inputs,
            ..shape
        },
    )
}

/// How many groups have sums of their own: a matter of sizes alone.
fn groups(shape: Shape, layers: &[Reversed<'_>]) -> usize {
    let neurons = layers.iter().map(|pass| pass.layer.neurons.shape.work());
    let weights = layers.iter().map(|pass| pass.layer.weights.shape());
    let weights: usize = weights.map(|[inputs, neurons]| inputs * neurons).sum();
    let bytes = BYTES_OF_SUMS * neurons.sum::<usize>() as f64;
    let fit = bytes / (size_of::<f32>() * weights.max(1)) as f64;
    (fit as usize).clamp(2, GROUPS).min(shape.samples.max(1))
}
