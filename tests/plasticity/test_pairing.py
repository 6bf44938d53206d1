"""Traces and pairs natively: the bits of their definition in torch."""

import pytest
import torch

import bitspike as snn
from bitspike.ops.traces import LearningArguments
from bitspike.plasticity import pairing
from bitspike.plasticity.pairing import Pairs, Side, Trace
from helpers.compare import same_bits

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("poisoned")]

SHAPES = {
    "no steps": (0, 2, 3, 4),
    "no samples": (2, 0, 3, 4),
    "no inputs": (2, 2, 0, 4),
    "no outputs": (2, 2, 3, 0),
    "ones": (1, 1, 1, 1),
    "a sample": (9, 1, 70, 33),
    "samples": (9, 3, 70, 33),
    "many samples": (3, 33, 129, 65),
}
DTYPES = (torch.float32, torch.float64)


def spikes(*shape, density=0.3):
    return snn.SpikeTensor.from_dense((torch.rand(shape) < density).float(), 1)


def pairs(shape, dtype=torch.float32, density=0.3, gained=False):
    steps, samples, *sides = shape
    found = []
    for n in sides:
        trace = torch.rand(steps, samples, n, dtype=dtype) - 0.2
        trace[torch.rand(steps, samples, n) < 0.2] = 0.0
        gain = torch.rand(steps, samples, n, dtype=dtype) if gained else None
        found.append(Side(spikes(steps, samples, n, density=density), trace, gain))
    return Pairs(*found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gained", [False, True])
@pytest.mark.parametrize("density", [0.02, 0.5])
def test_weights_that_learn(shape, dtype, gained, density):
    given = pairs(SHAPES[shape], dtype, density, gained)
    weight = torch.rand(*SHAPES[shape][:1:-1], dtype=dtype)
    rule = LearningArguments(0.3, (0.9, -1.0), (0.1, 0.8), (0.0, 1.0))
    assert given.are_native()
    found = pairing.learned([given], rule, weight)
    assert same_bits(found, pairing.defined_learned(given, rule, weight))
    assert found.numel() < 100 or not torch.equal(found, weight)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [0.02, 0.5])
def test_weights_that_stay(shape, dtype, density):
    given = pairs(SHAPES[shape], dtype, density)
    rise, fall, total = torch.rand(3, *SHAPES[shape][:1:-1], dtype=dtype)
    found = pairing.summed([given], rise, fall, total)
    assert same_bits(found, pairing.defined_summed(given, rise, fall, total))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("euler", [False, True])
@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("bumped", [False, True])
@pytest.mark.parametrize("shape", [(0, 2, 3), (3, 2, 0), (1, 1, 1), (9, 3, 70)])
def test_traces(shape, bumped, nearest, euler, dtype):
    trace = Trace(5.0, nearest, euler)
    given, state = spikes(*shape), torch.rand(shape[1:], dtype=dtype)
    found, wanted = trace.after(given, state, bumped), trace.defined(given, state, bumped)
    assert all(same_bits(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("samples", [1, 4])
def test_threads_change_no_bit(threads, samples):
    given = pairs((40, samples, 130, 131))
    weight = torch.rand(131, 130)
    rule = LearningArguments(0.1, (1.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(pairing.learned([given], rule, weight))
    assert all(same_bits(results[0], other) for other in results[1:])


def test_numbers_between_are_learned_from_in_torch():
    x = torch.rand(3, 2, 4)
    assert not isinstance(pairing.as_bits(x), snn.SpikeTensor)
    assert isinstance(pairing.as_bits((x < 0.5).int()), snn.SpikeTensor)
    graded = Pairs(Side(x, x), Side(x[..., :1], x[..., :1]))
    ones = torch.ones(1, 4)
    found = pairing.summed([graded], ones, 0 * ones)
    torch.testing.assert_close(found, torch.einsum("tbi,tbj->ij", x[..., :1], x))


def test_pieces_are_the_whole():
    pre, post = spikes(40, 300, 300), spikes(40, 300, 7)
    parts = list(pairing.pieces(pre, post))
    assert len(parts) > 1
    assert same_bits(torch.cat([a for a, _ in parts]), pre)
    assert same_bits(torch.cat([b for _, b in parts]), post)
