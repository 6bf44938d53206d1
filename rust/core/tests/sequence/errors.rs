//! Wrong calls are refused, by name, and write nothing.

use crate::delayed;
use bitspike::Error;
use bitspike::neuron::Mechanism;
use bitspike::registry::{AnySurrogate, NeuronKind};
use bitspike::sequence::{Gradients, Layer, Learned, OutputGradients, Outputs, backward, forward};
use bitspike::simd::Isa;
use bitspike::tiling::{Shape, Strided};

const SHAPE: Shape = Shape {
    steps: 2,
    samples: 3,
    neurons: 4,
};

fn layer(shape: Shape) -> Layer<'static> {
    Layer {
        neuron: NeuronKind::Leaky,
        reset: delayed(Mechanism::Subtract),
        shape,
        current: Strided::constant(&0.75),
        parameters: vec![Strided::constant(&0.5)],
        threshold: Strided::constant(&1.0),
        graded_factor: Strided::constant(&1.0),
        initial: vec![Strided::constant(&0.0)],
    }
}

fn none<'a>() -> Outputs<'a> {
    Outputs {
        states: vec![None],
        last: vec![None],
        ..Outputs::default()
    }
}

fn incoming() -> OutputGradients<'static> {
    OutputGradients {
        spikes: Strided::constant(&1.0),
        states: vec![Strided::constant(&0.0)],
        last: vec![Strided::constant(&0.0)],
    }
}

fn no_gradients<'a>() -> Gradients<'a> {
    Gradients {
        initial: vec![None],
        ..Gradients::default()
    }
}

fn learned(learned: Learned<'_>) -> Gradients<'_> {
    Gradients {
        learned: Some(learned),
        ..no_gradients()
    }
}

fn forward_into(outputs: Outputs<'_>) -> Result<(), Error> {
    forward(Isa::Scalar, &layer(SHAPE), outputs)
}

fn backward_into(incoming: OutputGradients<'_>, gradients: Gradients<'_>) -> Result<(), Error> {
    let surrogate = AnySurrogate::new("atan", &[2.0])?;
    backward(Isa::Scalar, &layer(SHAPE), surrogate, &incoming, gradients)
}

#[track_caller]
fn refused_length<T>(result: Result<T, Error>, what: &str, found: usize, expected: usize) {
    match result.err() {
        Some(Error::Length {
            what: w,
            found: f,
            expected: e,
        }) => {
            assert_eq!((w, f, e), (what, found, expected));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn outputs_of_wrong_length() {
    let mut words = [7; 5];
    let mut numbers = [7.0; 23];
    let outputs = Outputs {
        packed: Some(&mut words),
        ..none()
    };
    refused_length(forward_into(outputs), "packed spikes", 5, 6);
    let outputs = Outputs {
        dense: Some(&mut numbers),
        ..none()
    };
    refused_length(forward_into(outputs), "dense spikes", 23, 24);
    let outputs = Outputs {
        states: vec![Some(&mut numbers)],
        ..none()
    };
    refused_length(forward_into(outputs), "a state's sequence", 23, 24);
    let outputs = Outputs {
        last: vec![Some(&mut numbers)],
        ..none()
    };
    refused_length(forward_into(outputs), "a last state", 23, 12);
    let outputs = Outputs {
        states: vec![],
        ..none()
    };
    refused_length(forward_into(outputs), "outputs of states", 0, 1);
    let outputs = Outputs {
        last: vec![None, None],
        ..none()
    };
    refused_length(forward_into(outputs), "outputs of last states", 2, 1);
    assert_eq!((words, numbers), ([7; 5], [7.0; 23]));
}

#[test]
fn wrong_numbers_of_views() {
    let mut without = layer(SHAPE);
    without.parameters.clear();
    refused_length(forward(Isa::Scalar, &without, none()), "parameters", 0, 1);
    let mut doubled = layer(SHAPE);
    doubled.initial.push(Strided::constant(&0.0));
    let result = forward(Isa::Scalar, &doubled, none());
    refused_length(result, "initial states", 2, 1);
}

/// Each view of a layer in turn ends one number before the last that its strides reach.
#[test]
fn views_beyond_their_buffers() {
    let short = [0.0; 23];
    let sequence = Strided {
        data: &short,
        time: 12,
        sample: 4,
        per_neuron: true,
    };
    let once = Strided {
        data: &short[..11],
        time: 0,
        sample: 4,
        per_neuron: true,
    };
    let mut layers = [(); 5].map(|()| layer(SHAPE));
    layers[0].current = sequence;
    layers[1].threshold = once;
    layers[2].graded_factor = once;
    layers[3].parameters[0] = once;
    layers[4].initial[0] = once;
    let names = [
        "current",
        "threshold",
        "graded_factor",
        "beta",
        "an initial state",
    ];
    for (layer, what) in layers.iter().zip(names) {
        let found = if what == "current" { 23 } else { 11 };
        let refused = Err(Error::Stride {
            what,
            found,
            reach: found,
        });
        assert_eq!(forward(Isa::Scalar, layer, none()), refused);
        let surrogate = AnySurrogate::new("atan", &[2.0]).expect("known");
        let result = backward(Isa::Scalar, layer, surrogate, &incoming(), no_gradients());
        assert_eq!(result, refused);
    }
}

/// Without steps the current is never read, but the initial state is.
#[test]
fn views_without_steps() {
    let mut layer = layer(Shape { steps: 0, ..SHAPE });
    layer.current.data = &[];
    let mut last = [f32::NAN; 12];
    let outputs = Outputs {
        last: vec![Some(&mut last)],
        ..none()
    };
    assert_eq!(forward(Isa::Scalar, &layer, outputs), Ok(()));
    assert_eq!(last, [0.0; 12]);
    layer.initial[0].data = &[];
    let refused = Error::Stride {
        what: "an initial state",
        found: 0,
        reach: 0,
    };
    assert_eq!(forward(Isa::Scalar, &layer, none()), Err(refused));
}

#[test]
fn sizes_that_overflow() {
    let shape = Shape {
        steps: usize::MAX,
        samples: 2,
        neurons: 1,
    };
    let huge = Err(Error::Overflow { what: "current" });
    assert_eq!(forward(Isa::Scalar, &layer(shape), none()), huge);
    let mut strided = layer(SHAPE);
    strided.current.time = usize::MAX;
    strided.current.sample = usize::MAX;
    assert_eq!(forward(Isa::Scalar, &strided, none()), huge);
}

#[test]
fn gradients_of_wrong_length() {
    let mut numbers = [7.0; 23];
    let gradients = Gradients {
        current: Some(&mut numbers),
        ..no_gradients()
    };
    refused_length(
        backward_into(incoming(), gradients),
        "gradient of current",
        23,
        24,
    );
    let gradients = Gradients {
        initial: vec![Some(&mut numbers)],
        ..no_gradients()
    };
    let result = backward_into(incoming(), gradients);
    refused_length(result, "gradient of an initial state", 23, 12);
    let gradients = Gradients {
        initial: vec![],
        ..no_gradients()
    };
    let result = backward_into(incoming(), gradients);
    refused_length(result, "gradients of initial states", 0, 1);
    let result = backward_into(incoming(), learned(Learned::default()));
    refused_length(result, "gradients of parameters", 0, 1);
    let gradients = learned(Learned {
        parameters: vec![&mut numbers],
        ..Learned::default()
    });
    refused_length(
        backward_into(incoming(), gradients),
        "gradient of a parameter",
        23,
        1,
    );
    let [mut beta, mut threshold] = [[0.0]; 2];
    let gradients = learned(Learned {
        parameters: vec![&mut beta],
        threshold: &mut threshold,
        graded_factor: Some(&mut numbers),
    });
    let result = backward_into(incoming(), gradients);
    refused_length(result, "gradient of a parameter", 23, 1);
    assert_eq!(numbers, [7.0; 23]);

    let of_states = OutputGradients {
        states: vec![],
        ..incoming()
    };
    refused_length(
        backward_into(of_states, no_gradients()),
        "gradients of states",
        0,
        1,
    );
    let of_last = OutputGradients {
        last: vec![],
        ..incoming()
    };
    let result = backward_into(of_last, no_gradients());
    refused_length(result, "gradients of last states", 0, 1);
    let mut of_spikes = incoming();
    of_spikes.spikes.time = 1;
    let refused = Error::Stride {
        what: "gradient of spikes",
        found: 1,
        reach: 1,
    };
    assert_eq!(backward_into(of_spikes, no_gradients()), Err(refused));
}

#[test]
fn a_scaled_reset_that_should_be_immediate() {
    let mut layer = layer(SHAPE);
    layer.reset = delayed(Mechanism::SubtractBeta);
    assert_eq!(forward(Isa::Scalar, &layer, none()), Ok(()));
    layer.reset.immediate = true;
    let refused = forward(Isa::Scalar, &layer, none());
    assert_eq!(
        refused.expect_err("not offered").to_string(),
        "leaky has no immediate reset by \"subtract_beta\""
    );
}

#[test]
fn unknown_names() {
    let unknown = NeuronKind::parse("lif").expect_err("unknown").to_string();
    assert!(unknown.starts_with("there is no neuron named \"lif\"; known: leaky, synaptic"));
    assert_eq!(
        Mechanism::parse("hard").expect_err("unknown").to_string(),
        "there is no reset mechanism named \"hard\"; known: subtract, zero, none, subtract_beta"
    );
    let error = AnySurrogate::new("tangent", &[]).expect_err("unknown");
    let message = error.to_string();
    assert!(
        message.starts_with("there is no surrogate named \"tangent\"; known: atan, fast_sigmoid")
    );
    refused_length(AnySurrogate::new("atan", &[]), "surrogate parameters", 0, 1);
    for &neuron in NeuronKind::ALL {
        assert_eq!(NeuronKind::parse(neuron.name()), Ok(neuron));
    }
    for mechanism in Mechanism::ALL {
        assert_eq!(Mechanism::parse(mechanism.name()), Ok(mechanism));
    }
}
