//! What random networks consist of.

use bitspike::registry::NeuronKind;
use proptest::prelude::*;

/// A layer of a random network: from spikes to spikes.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    /// A product and neurons.
    Dense { neurons: usize, firing: Firing },
    /// A convolution and leaky neurons.
    Conv {
        outputs: usize,
        kernel: usize,
        padding: usize,
        stride: usize,
    },
    /// The maxima of windows.
    Any,
    /// The sums of windows, and leaky neurons.
    Sum,
    /// The same spikes amid silent ones.
    Pad,
    /// The same spikes, later.
    Delay { steps: usize },
}

/// Which neurons, how they are reset, and whether they are recurrent, to all or to themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Firing {
    pub(crate) kind: usize,
    pub(crate) mechanism: usize,
    pub(crate) immediate: bool,
    pub(crate) recurrent: Option<bool>,
}

pub(crate) fn layers() -> impl Strategy<Value = Vec<Layer>> {
    let firing = (
        0..64_usize,
        0..4_usize,
        any::<bool>(),
        proptest::option::of(any::<bool>()),
    );
    let firing = firing.prop_map(|(kind, mechanism, immediate, recurrent)| Firing {
        kind: kind % NeuronKind::ALL.len(),
        mechanism,
        immediate,
        recurrent,
    });
    let dense =
        (1..80_usize, firing).prop_map(|(neurons, firing)| Layer::Dense { neurons, firing });
    let conv = (
        prop_oneof![1..5_usize, 32..36_usize],
        1..4_usize,
        0..2_usize,
        1..3_usize,
    );
    let conv = conv.prop_map(|(outputs, kernel, padding, stride)| Layer::Conv {
        outputs,
        kernel,
        padding,
        stride,
    });
    let delay = (1..4_usize).prop_map(|steps| Layer::Delay { steps });
    let layer = prop_oneof![4 => dense, 2 => conv, 1 => Just(Layer::Any), 1 => Just(Layer::Sum), 1 => Just(Layer::Pad), 1 => delay];
    proptest::collection::vec(layer, 1..5)
}

/// A leaky neuron that subtracts.
pub(crate) const LEAKY: Firing = Firing {
    kind: 0,
    mechanism: 0,
    immediate: false,
    recurrent: None,
};
