//! The way forward through a stack.

use super::Layer;
use super::samples::{layer_of, words_of};
use crate::Error;
use crate::matmul::packed::Packed;
use crate::matmul::{ITEMS_PER_THREAD, product_of_packed, tile_width};
use crate::sequence;
use crate::simd::{Columns, Isa};
use crate::spikes::layout::{check_padded, words};
use crate::tiling::{Shape, cut};
use crate::{parallel, spikes};
use std::ops::Range;

/// Rows of spikes, steps times samples, that share what is read of the weights: fewer would wait for
/// the weights, more would leave the caches.
const ROWS: usize = 256;

/// Where the results of a layer go.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// Spikes as bits, `[T, B, words(N)]`.
    pub packed: &'a mut [u64],
    /// Per state: its value after the last step, `[B, N]`.
    pub last: Vec<&'a mut [f32]>,
}

/// Runs `[T, B]` rows of spikes through all layers. Bits and states are those of
/// [`matmul::product`](crate::matmul::product) and [`sequence::forward`], layer after layer.
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
    let pack = |layer: &Layer<'_>| {
        Packed::new(
            isa,
            layer.weights,
            tile_width(isa, layer.neurons.shape.neurons),
        )
    };
    let weights: Vec<_> = layers.iter().map(pack).collect();
    if !weights.iter().all(Packed::is_finite) {
        return Ok(false);
    }
    let at_a_time = ROWS.div_ceil(steps.max(1));
    let items = ITEMS_PER_THREAD * parallel::threads();
    let per_item = samples.div_ceil(items).next_multiple_of(at_a_time);
    let parts: Vec<_> = cut(0..samples, per_item.max(1)).collect();
    let mut bands: Vec<_> = outputs
        .into_iter()
        .zip(layers)
        .map(|(outputs, layer)| Bands::split(outputs, layer.neurons.shape, &parts))
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
            outputs: bands.iter_mut().filter_map(Iterator::next).collect(),
        })
        .collect();
    let work = layers.iter().map(|layer| layer.neurons.shape.work());
    let work = work.sum::<usize>() + spikes::count(isa, spikes) as usize;
    parallel::for_each(jobs, work, |job| job.run(isa));
    Ok(true)
}

/// Where the results of a layer go, for some samples.
struct Bands<'a> {
    packed: Columns<'a, u64>,
    last: Vec<Columns<'a, f32>>,
}

impl<'a> Bands<'a> {
    fn split(outputs: Outputs<'a>, shape: Shape, parts: &[Range<usize>]) -> Vec<Self> {
        let Shape {
            samples, neurons, ..
        } = shape;
        let of = |per_sample: usize| {
            let parts = parts.iter();
            parts.map(move |part| part.start * per_sample..part.end * per_sample)
        };
        let row = words(neurons);
        let packed = Columns::split(outputs.packed, samples * row, of(row));
        let mut last: Vec<_> = outputs
            .last
            .into_iter()
            .map(|last| Columns::split(last, samples * neurons, of(neurons)).into_iter())
            .collect();
        packed
            .into_iter()
            .map(|packed| Self {
                packed,
                last: last.iter_mut().filter_map(Iterator::next).collect(),
            })
            .collect()
    }
}

/// Some samples through all layers.
struct Job<'a> {
    /// Of all samples.
    spikes: &'a [u64],
    /// Likewise.
    shape: Shape,
    layers: &'a [Layer<'a>],
    weights: &'a [Packed],
    samples: Range<usize>,
    /// How many samples go through the layers together.
    at_a_time: usize,
    outputs: Vec<Bands<'a>>,
}

impl Job<'_> {
    fn run(mut self, isa: Isa) {
        let steps = self.shape.steps;
        let widest = self.layers.iter().map(|layer| layer.neurons.shape.neurons);
        let rows = steps * self.at_a_time;
        let mut current = vec![0.0; rows * widest.max().unwrap_or(0)];
        for samples in cut(self.samples.clone(), self.at_a_time) {
            let mut spikes = words_of(self.spikes, self.shape, samples.clone());
            for (layer, (weights, outputs)) in self
                .layers
                .iter()
                .zip(self.weights.iter().zip(&mut self.outputs))
            {
                let neurons = layer.neurons.shape.neurons;
                let current = &mut current[..steps * samples.len() * neurons];
                if !current.is_empty() {
                    product_of_packed(isa, &spikes, weights, layer.bias, neurons, current);
                }
                let place = samples.start - self.samples.start..samples.end - self.samples.start;
                spikes = fire(
                    isa,
                    &layer.neurons,
                    samples.clone(),
                    current,
                    outputs,
                    place,
                );
            }
        }
    }
}

/// The spikes of a layer for some samples, whose outputs lie at a `place` of the bands.
fn fire(
    isa: Isa,
    layer: &sequence::Layer<'_>,
    samples: Range<usize>,
    current: &[f32],
    outputs: &mut Bands<'_>,
    place: Range<usize>,
) -> Vec<u64> {
    let Shape { steps, neurons, .. } = layer.shape;
    let row = words(neurons);
    let mut packed = vec![0; steps * samples.len() * row];
    if neurons == 0 {
        return packed;
    }
    let layer = layer_of(layer, samples.clone(), current);
    let of_place = place.start * neurons..place.end * neurons;
    let states = outputs.last.iter().map(|_| None).collect();
    let last = outputs.last.iter_mut();
    let results = sequence::Outputs {
        packed: Some(&mut packed),
        dense: None,
        states,
        last: last
            .map(|last| Some(&mut last.row(0)[of_place.clone()]))
            .collect(),
    };
    sequence::forward(isa, &layer, results).expect("the layer has been checked");
    let rows = packed.chunks_exact(samples.len() * row).enumerate();
    for (step, from) in rows {
        outputs.packed.row(step)[place.start * row..place.end * row].copy_from_slice(from);
    }
    packed
}
