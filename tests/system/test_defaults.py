"""What takes no tensor makes the same ones under other default dtypes and devices."""

import pickle

import pytest
import torch
from kinds import default
from torch.utils._pytree import tree_leaves

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
    "spike_patterns": lambda: of_task(tasks.spike_patterns(40, classes=4)),
    "moving_bars": lambda: of_task(tasks.moving_bars(20, noise=0.1)),
    "digits": lambda: of_task(tasks.digits()),
    "mnist_5k": lambda: of_task(tasks.mnist_5k(limit=20)),
    "japanese_vowels": lambda: of_task(tasks.japanese_vowels()),
    "mnist1d": lambda: of_task(tasks.mnist1d(20)),
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
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)


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
