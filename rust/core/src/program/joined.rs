//! Samples joined into one long row of neurons, so that narrow layers fill their tiles.

use super::inputs::Inputs;
use crate::tiling::{Shape, Strided};

/// Rows of a multiple of so many neurons fill their tiles.
const WIDE: usize = 512;
/// Where rows are shorter than this, constants of a neuron are repeated for each sample.
const NARROW: usize = 128;

/// The shape of one row of all neurons, if that fills tiles better.
fn joined_shape(shape: Shape) -> Option<Shape> {
    let Shape {
        samples, neurons, ..
    } = shape;
    (samples > 1 && !neurons.is_multiple_of(WIDE)).then_some(Shape {
        samples: 1,
        neurons: samples * neurons,
        ..shape
    })
}

/// For each constant that cannot be joined as it is, what it would be joined; else nothing.
pub(super) fn repeated(inputs: &Inputs<'_>) -> Vec<Vec<f32>> {
    let shape = inputs.shape;
    let of = |view: &Strided<'_>| {
        if shape.neurons >= NARROW || view.joined(shape).is_some() {
            return Vec::new();
        }
        let row = |sample| (0..shape.neurons).map(move |neuron| view.offset(sample, neuron));
        let places = (0..shape.samples).flat_map(row);
        places.map(|place| view.data[place]).collect()
    };
    match joined_shape(shape) {
        Some(_) => inputs.constants.iter().map(of).collect(),
        None => Vec::new(),
    }
}

/// The same inputs with their samples joined, if that is possible and worth while. `repeated` is what
/// that function says.
pub(super) fn joined<'a>(inputs: &Inputs<'a>, repeated: &'a [Vec<f32>]) -> Option<Inputs<'a>> {
    let shape = inputs.shape;
    let all = |views: &[Strided<'a>]| -> Option<Vec<Strided<'a>>> {
        views.iter().map(|view| view.joined(shape)).collect()
    };
    let constants = inputs.constants.iter().zip(repeated);
    let constants = constants.map(|(view, repeated)| {
        let copied = || Strided {
            data: repeated,
            time: 0,
            sample: 0,
            per_neuron: true,
        };
        let joined = view.joined(shape);
        joined.or_else(|| (!repeated.is_empty()).then(copied))
    });
    Some(Inputs {
        shape: joined_shape(shape)?,
        sequences: all(&inputs.sequences)?,
        initial: all(&inputs.initial)?,
        constants: constants.collect::<Option<_>>()?,
    })
}
