"""What takes no tensor makes the same ones under other default dtypes and devices."""

import pickle

import pytest
import torch
from kinds import default
from torch.utils._pytree import tree_leaves
from uses_of_neurons import (
    CURRENT,
    KINDS_OF_NEURONS,
    SCALES,
    WITH_RANDOM_NUMBERS,
    arguments_of,
    neuron,
)
from uses_of_spikes import OPERATIONS

import bitspike as snn
from bitspike import decode, spikegen, spikeplot, surrogate, tasks
from bitspike.functional import quant


def of_task(task):
    return [part.tensors for part in (task.train, task.test)]


CALLS = {
    "target_rate_code": lambda: spikegen.target_rate_code(300, 257, 0.3),
    "target_rate_code, uniform": lambda: spikegen.target_rate_code(300, 9, 0.3, "uniform"),
    "target_rate_code, poisson": lambda: spikegen.target_rate_code(300, 9, 0.3, "poisson"),
    "target_rate_code, silent": lambda: spikegen.target_rate_code(30, 9, 0),
    "state_quant": lambda: quant.state_quant(3).keywords["levels"],
    "state_quant, dense": lambda: quant.state_quant(3, uniform=False).keywords["levels"],
    "EarlyExit": lambda: list(vars(decode.EarlyExit()).values())[1:4],
    "spread": lambda: spikeplot._spikes._spread(1000, 10),
    "store_recall": lambda: of_task(tasks.store_recall(20, noise=0.1)),
    "delayed_xor": lambda: of_task(tasks.delayed_xor(20, noise=0.1)),
    "copy_memory": lambda: of_task(tasks.copy_memory(20, noise=0.1)),
    "sequential_digits": lambda: of_task(tasks.sequential_digits()),
    "spike_patterns": lambda: of_task(tasks.spike_patterns(40, classes=4)),
    "moving_bars": lambda: of_task(tasks.moving_bars(20, noise=0.1)),
    "digits": lambda: of_task(tasks.digits()),
    "mnist_5k": lambda: of_task(tasks.mnist_5k(limit=20)),
    "japanese_vowels": lambda: of_task(tasks.japanese_vowels()),
    "mnist1d": lambda: of_task(tasks.mnist1d(20)),
    **OPERATIONS,
}
DEFAULTS = [{"dtype": torch.float64}, {"dtype": torch.bfloat16}, {"device": "meta"}]


@pytest.mark.parametrize("defaults", DEFAULTS, ids=str)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_defaults_change_nothing(call, defaults):
    torch.manual_seed(3)
    wanted = tree_leaves(call())
    torch.manual_seed(3)
    with default(**defaults):
        got = tree_leaves(call())
    assert len(got) == len(wanted) > 0
    for a, b in zip(map(torch.as_tensor, got), map(torch.as_tensor, wanted), strict=True):
        assert a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)


def sequence_of(kind):
    x = CURRENT * SCALES.get(kind.__name__, 1)
    return x.view(3, 2, 1, 1, 3) if kind is snn.SConv2dLSTM else x


@pytest.mark.parametrize(
    "kind", [x for x in KINDS_OF_NEURONS if x.__name__ not in WITH_RANDOM_NUMBERS]
)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-4), (torch.bfloat16, 0.1)])
@pytest.mark.filterwarnings("ignore::bitspike.ReferencePathWarning")
def test_neurons_made_under_another_default_dtype_have_the_same_equation(kind, dtype, tolerance):
    x, layers = sequence_of(kind), [neuron(kind)]
    with default(dtype=dtype):
        layers.append(neuron(kind))
    results = []
    for layer in layers:
        torch.manual_seed(0)
        layer.multi_step = True
        results.append([y.detach() * 1 for y in tree_leaves(layer(x))][-1].float())
    torch.testing.assert_close(*results, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS_OF_NEURONS)
def test_neurons_are_made_on_the_default_device(kind):
    with default(device="meta"):
        made = kind(**{name: on_meta(x) for name, x in arguments_of(kind).items()})
        made.multi_step = True
        results = tree_leaves(made(sequence_of(kind).to("meta")))
    assert all(x.is_meta for x in [*made.parameters(), *made.buffers(), *results])


def on_meta(x):
    return x.to("meta") if isinstance(x, torch.Tensor) else x


@pytest.mark.parametrize("kind", [*surrogate.ALL, surrogate.StochasticSpikeOperator])
def test_surrogates_travel(kind):
    original = kind()
    copy = pickle.loads(pickle.dumps(original))
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    assert copy == original and copy.is_native() == original.is_native()
    gradients = []
    for one in (original, copy):
        torch.manual_seed(0)
        gradients.append(one.derivative(x))
    assert torch.equal(*gradients) and gradients[0].dtype == torch.float64
