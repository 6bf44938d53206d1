//! The way forward through a stack.

mod bands;
mod job;

use super::Layer;
use crate::Error;
use crate::matmul::{ITEMS_PER_THREAD, finite_weights};
use crate::simd::Isa;
use crate::spikes::layout::{check_padded, words};
use crate::tiling::{Shape, cut};
use crate::{parallel, spikes};
use bands::Bands;
use job::Job;

/// Fewest rows of spikes, steps times samples, that share what is read of the weights, where there are as
/// many: fewer would wait for the weights.
const LEAST_ROWS: usize = 256;
/// Most of them, unless one sample has more: currents of more would leave the second-level cache.
const MOST_ROWS: usize = 1024;

/// Where the results of a layer go.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// Spikes as bits, `[T, B, words(N)]`.
    pub packed: &'a mut [u64],
    /// Per state: its value after the last step, `[B, N]`.
    pub last: Vec<&'a mut [f32]>,
}

/// Runs `[T, B]` rows of spikes through all layers. Bits and states are those of
/// [`matmul::product`](crate::matmul::product) and [`sequence::forward`](crate::sequence::forward), layer after layer.
///
/// Returns whether all weights are finite. If not, nothing is computed: a silent input counts where
/// its weight is infinite or NaN.
///
/// # Errors
/// If a length does not fit, a view reaches beyond its buffer, or spikes have padding bits set.
///
/// # Example
/// ```
/// use bitspike::matmul::Matrix;
/// use bitspike::neuron::{Mechanism, Reset};
/// use bitspike::registry::NeuronKind;
/// use bitspike::sequence;
/// use bitspike::simd::Isa;
/// use bitspike::stack::{Layer, Outputs, forward};
/// use bitspike::tiling::{Shape, Strided};
///
/// let shape = Shape { steps: 3, samples: 1, neurons: 2 };
/// let layer = Layer {
///     weights: Matrix::new("weights", &[2.0, 0.0, 0.0, 2.0], [2, 2], [2, 1])?,
///     bias: None,
///     neurons: sequence::Layer {
///         neuron: NeuronKind::Leaky,
///         reset: Reset { mechanism: Mechanism::Subtract, immediate: false },
///         shape,
///         current: Strided::constant(&0.0),
///         parameters: vec![Strided::constant(&0.5)],
///         threshold: Strided::constant(&1.0),
///         graded_factor: Strided::constant(&1.0),
///         initial: vec![Strided::constant(&0.0)],
///     },
/// };
/// let (mut fired, mut membrane) = ([0; 3], [0.0; 2]);
/// let outputs = Outputs { packed: &mut fired, last: vec![&mut membrane] };
/// assert!(forward(Isa::active()?, &[0b01, 0b10, 0b00], shape, &[layer], vec![outputs])?);
/// assert_eq!(fired, [0b01, 0b10, 0b00]);
/// # Ok::<(), bitspike::Error>(())
/// ```
pub fn forward(
    isa: Isa,
    spikes: &[u64],
    shape: Shape,
    layers: &[Layer<'_>],
    outputs: Vec<Outputs<'_>>,
) -> Result<bool, Error> {
    let Shape {
        steps,
        samples,
        neurons: mut inputs,
    } = shape;
    check_padded(spikes, steps * samples, inputs)?;
    Error::check_length("outputs", outputs.len(), &[layers.len()])?;
    for (layer, outputs) in layers.iter().zip(&outputs) {
        layer.check(shape, inputs)?;
        inputs = layer.neurons.shape.neurons;
        let states = layer.neurons.neuron.states().len();
        Error::check_length(
            "packed",
            outputs.packed.len(),
            &[steps, samples, words(inputs)],
        )?;
        Error::check_length("last states", outputs.last.len(), &[states])?;
        for last in &outputs.last {
            Error::check_length("a last state", last.len(), &[samples, inputs])?;
        }
    }
    let packed = layers
        .iter()
        .map(|layer| finite_weights(isa, layer.weights));
    let Some(weights) = packed.collect::<Option<Vec<_>>>() else {
        return Ok(false);
    };
    let of_rows = |rows: usize| rows.div_ceil(steps.max(1));
    let items = ITEMS_PER_THREAD * parallel::threads();
    let per_item = samples.div_ceil(items).max(of_rows(LEAST_ROWS));
    let at_a_time = per_item.div_ceil(per_item.div_ceil(of_rows(MOST_ROWS)));
    let parts: Vec<_> = cut(0..samples, per_item).collect();
    let mut bands: Vec<_> = outputs
        .into_iter()
        .zip(layers)
        .map(|(Outputs { packed, last }, layer)| {
            Bands::split((packed, last), layer.neurons.shape, &parts)
        })
        .map(Vec::into_iter)
        .collect();
    let jobs = parts
        .iter()
        .map(|samples| Job {
            spikes,
            shape,
            layers,
            weights: &weights,
            samples: samples.clone(),
            at_a_time,
            alone: parts.len() == 1,
            outputs: bands.iter_mut().filter_map(Iterator::next).collect(),
        })
        .collect();
    let work = layers.iter().map(|layer| layer.neurons.shape.work());
    let work = work.sum::<usize>() + spikes::count(isa, spikes) as usize;
    parallel::for_each(jobs, work, |job| job.run(isa));
    Ok(true)
}
