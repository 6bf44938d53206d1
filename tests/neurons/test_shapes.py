"""Inputs and parameters of all shapes, against snnTorch 1.0.0: the same numbers, or both raise."""

import pytest
import snntorch
import torch

import bitspike as snn
from helpers.three import flat

SHAPES = [(), (1,), (3,), (1, 1), (1, 3), (2, 3), (3, 1), (3, 3), (2, 1, 3), (2, 3, 4, 4)]
PARAMETERS = [(), (1,), (3,), (1, 3), (1, 1), (3, 1, 1), (2, 3)]

NEURONS = {
    "Leaky": lambda p: dict(beta=p(0.8), threshold=p(0.7)),
    "Synaptic": lambda p: dict(alpha=p(0.6), beta=p(0.8), threshold=p(0.7)),
    "Lapicque": lambda p: dict(beta=p(0.8), threshold=p(0.7)),
    "Alpha": lambda p: dict(alpha=p(0.8), beta=p(0.6), threshold=p(0.2)),
    "DeltaLeaky": lambda p: dict(delta_threshold=0.3, beta=p(0.8)),
    "RLeaky": lambda p: dict(beta=p(0.8), V=p(0.3), all_to_all=False, threshold=p(0.7)),
    "RSynaptic": lambda p: dict(alpha=p(0.6), beta=p(0.8), V=p(0.3), all_to_all=False),
}


def outcome(function):
    """What a call returns, or None if it raises."""
    try:
        return function()
    except Exception:
        return None


def steps(neuron, currents):
    """All that single steps return, flat."""
    kind = type(neuron).__name__
    states, results = ((None, None),) if kind == "DeltaLeaky" else (), []
    for current in currents:
        spikes, *states = result = neuron(current, *states)
        results += flat(result)
        if kind in ("RLeaky", "RSynaptic"):
            states = [spikes, *states]
    return results


def same(one, other):
    return len(one) == len(other) and all(
        a.shape == b.shape and torch.allclose(a * 1, b * 1, atol=1e-6)
        for a, b in zip(one, other, strict=True)
    )


def assert_same_outcome(theirs, ours, shape=None):
    """The same numbers, or both raise; snnTorch raises instead, or enlarges its result."""
    if theirs is None or (shape is not None and any(x.shape != shape for x in theirs)):
        assert ours is None or shape is None or all(x.shape == shape for x in ours)
    else:
        assert ours is not None and same(ours, theirs)


@pytest.mark.filterwarnings("ignore:Inhibition")
@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("parameter", PARAMETERS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_neurons(name, shape, parameter):
    arguments = NEURONS[name](lambda value: torch.full(parameter, value))
    currents = torch.rand(3, *shape) * 1.5
    theirs = outcome(lambda: steps(getattr(snntorch, name)(**arguments), currents))
    ours = outcome(lambda: steps(getattr(snn, name)(**arguments), currents))
    assert_same_outcome(theirs, ours, shape)
    if ours is not None and name != "DeltaLeaky":
        whole = getattr(snn, name)(**arguments, multi_step=True)(currents)
        count = len(flat(whole))
        for part, got in enumerate(flat(whole)):
            assert torch.allclose(got * 1, torch.stack(ours[part::count]) * 1, atol=1e-6)


MODULES = {
    "RLeaky, dense": lambda library: library.RLeaky(0.7, linear_features=3),
    "RLeaky, convolution": lambda library: library.RLeaky(0.7, conv2d_channels=3, kernel_size=5),
    "RLeaky, one channel": lambda library: library.RLeaky(0.7, conv2d_channels=1, kernel_size=3),
    "RSynaptic, dense": lambda library: library.RSynaptic(0.5, 0.7, linear_features=3),
    "RSynaptic, convolution": lambda library: library.RSynaptic(
        0.5, 0.7, conv2d_channels=3, kernel_size=(3, 5)
    ),
    "SLSTM": lambda library: library.SLSTM(3, 3, threshold=0.1),
    "SConv2dLSTM": lambda library: library.SConv2dLSTM(3, 3, 3, threshold=0.1),
    "SConv2dLSTM, pool": lambda library: library.SConv2dLSTM(1, 4, 3, max_pool=2, threshold=0.1),
    **{
        f"StateLeaky, {channels} channels, beta {shape}, {taps} taps": (
            lambda library, channels=channels, shape=shape, taps=taps: library.StateLeaky(
                torch.full(shape, 0.7), channels, kernel_truncation_steps=taps
            )
        )
        for channels, shape, taps in [
            (1, (), None),
            (1, (1,), None),
            (1, (1,), 2),
            (3, (), None),
            (3, (), 2),
            (3, (3,), None),
            (3, (3,), 2),
        ]
    },
    "LinearLeaky": lambda library: library.LinearLeaky(0.7, 3, 4),
    "LeakyParallel": lambda library: library.LeakyParallel(3, 4, beta=0.7),
    "AssociativeLeaky": lambda library: library.AssociativeLeaky(3, 2, 2, 4),
    "BatchNormTT1d": lambda library: library.BatchNormTT1d(3, 5)[2],
    "BatchNormTT2d": lambda library: library.BatchNormTT2d(3, 5)[2],
}
INPUTS = [
    *SHAPES,
    *((5, 2, 3), (0, 3), (2, 0), (0, 2, 3), (5, 2, 1), (5, 2, 16), (5, 128, 1000)),
    *((3, 32, 32), (2, 3, 8, 8), (1, 3, 8, 8), (3, 3, 8, 8), (1, 8, 8), (2, 1, 8, 8)),
]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("shape", INPUTS, ids=str)
def test_modules(name, shape):
    x = torch.rand(shape) * 1.5
    results = []
    for library in (snntorch, snn):
        torch.manual_seed(0)
        module = MODULES[name](library)
        results.append(outcome(lambda module=module: flat(module(x))))
    assert_same_outcome(*results)


@pytest.mark.parametrize("shape", [(3, 1), (2, 3, 4), (2, 3, 1), (2, 4)], ids=str)
@pytest.mark.parametrize("size", [1, 3])
def test_graded_spikes(size, shape):
    torch.manual_seed(0)
    theirs = snntorch.GradedSpikes(size, None)
    ours = snn.GradedSpikes(size)
    ours.load_state_dict(theirs.state_dict())
    x = torch.rand(shape)
    assert_same_outcome(outcome(lambda: [theirs(x)]), outcome(lambda: [ours(x)]))


@pytest.mark.parametrize("kind", [snn.RLeaky, snn.RSynaptic])
def test_an_unbatched_sequence_of_a_recurrent_convolution(kind):
    arguments = dict(beta=0.7, conv2d_channels=3, kernel_size=3)
    arguments |= dict(alpha=0.5) if kind is snn.RSynaptic else {}
    neuron, x = kind(**arguments, multi_step=True), torch.rand(5, 3, 6, 6)
    alone = flat(neuron(x))
    batched = flat(neuron(x.unsqueeze(1)))
    for one, other in zip(alone, batched, strict=True):
        assert torch.allclose(one * 1, (other * 1).squeeze(1), atol=1e-6)
