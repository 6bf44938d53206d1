"""Numbers that are infinite or NaN pass through every kernel as through its ``step`` in torch."""

import pytest
import torch

from helpers.cases import CASES
from helpers.compare import dense, same_bits
from helpers.replay import run

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("poisoned")]

LAYERS = [
    pytest.param(case, *reset, id=f"{case}, {reset[0]}{'' if reset[1] else ' at once'}")
    for case in CASES
    for reset in case.resets()
]
BAD = torch.tensor([float("inf"), float("-inf"), float("nan")])
N = 150


def spoil(x: torch.Tensor, share: float = 0.02) -> None:
    """Puts numbers that are not finite into a share of a tensor."""
    some = torch.rand(x.shape) < share
    x[some] = BAD[torch.randint(3, (int(some.sum()),))]


def assert_same(case, neuron, x, initial):
    with torch.no_grad():
        spikes, *rest = run(neuron, x, initial)
        if case.exact:
            wanted = run(neuron, x, initial, reference=True)
            for w, a in zip(wanted, [spikes, *rest], strict=True):
                assert same_bits(w, a)
            return
        # Exponentials may differ in the last place: steps that start from the same states.
        for t, current in enumerate(x):
            before = [s[t - 1] for s in rest[: len(initial)]] if t else initial
            _, states = neuron.step(current, *before)
            for wanted, got in zip(states, rest, strict=False):
                wanted = wanted.expand_as(got[t])
                torch.testing.assert_close(got[t], wanted, rtol=1e-4, atol=1e-4, equal_nan=True)
    assert dense(spikes).isfinite().all()


@pytest.mark.parametrize("case, reset, delay", LAYERS)
@pytest.mark.parametrize("where", ["current", "states", "parameters"])
def test_equals_the_specification(case, reset, delay, where):
    neuron = case.neuron(N, reset, delay)
    x, initial = case.inputs(12, 3, N)
    if where == "current":
        spoil(x)
    elif where == "states":
        for state in initial:
            spoil(state, 0.2)
    else:
        for parameter in neuron.parameters():
            spoil(parameter.data, 0.1)
    assert_same(case, neuron, x, initial)


@pytest.mark.parametrize("case, reset, delay", LAYERS)
def test_zeros_of_either_sign_equal_the_specification(case, reset, delay):
    neuron = case.neuron(N, reset, delay)
    x, initial = case.inputs(12, 3, N)
    for y in (x, *initial):
        y[torch.rand(y.shape) < 0.4] = 0.0
        y[torch.rand(y.shape) < 0.4] = -0.0
    assert_same(case, neuron, x, initial)
