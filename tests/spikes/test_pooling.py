"""Pooling of packed spikes against torch on dense ones, bit for bit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from helpers.compare import same_bits

pytestmark = pytest.mark.isa

POOLS = {"max": F.max_pool2d, "avg": F.avg_pool2d}


def spikes(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def both(pool, dense, *options, **keywords):
    """Values and gradients of a pool, on numbers and on bits."""
    results = []
    for packed in (False, True):
        x = snn.SpikeTensor.from_dense(dense, 3) if packed else dense.clone()
        x.requires_grad_()
        y = pool(x, *options, **keywords)
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
        (y * weights).sum().backward()
        results.append((y, x.grad))
    return results


@settings(max_examples=80)
@given(
    kind=st.sampled_from(sorted(POOLS)),
    rows=st.integers(1, 3),
    channels=st.integers(1, 3),
    size=st.tuples(st.integers(1, 12), st.integers(1, 140)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    stride=st.none() | st.integers(1, 5) | st.tuples(st.integers(1, 4), st.integers(1, 70)),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 999),
)
def test_values_and_gradients(kind, rows, channels, size, window, stride, density, seed):
    torch.manual_seed(seed)
    window = tuple(min(w, s) for w, s in zip(window, size, strict=True))
    dense = spikes(rows, channels, *size, density=density)
    wanted, actual = both(POOLS[kind], dense, window, stride)
    assert all(same_bits(a, w) for a, w in zip(actual, wanted, strict=True))
    assert isinstance(actual[0], snn.SpikeTensor) == (kind == "max")


@pytest.mark.parametrize("window", [(1, 64), (2, 65), (3, 64)])
@pytest.mark.parametrize("kind", POOLS)
def test_windows_as_wide_as_a_word(kind, window):
    wanted, actual = both(POOLS[kind], spikes(2, 2, 4, 150, density=0.01), window, 1)
    assert all(same_bits(a, w) for a, w in zip(actual, wanted, strict=True))


@pytest.mark.parametrize("threads_", [1, 2])
@pytest.mark.parametrize("kind", POOLS)
def test_large_maps_on_several_threads(kind, threads_, threads):
    threads(threads_)
    wanted, actual = both(POOLS[kind], spikes(64, 8, 30, 30), 2)
    assert all(same_bits(a, w) for a, w in zip(actual, wanted, strict=True))


def test_a_map_by_hand():
    dense = torch.tensor([[0.0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]).view(
        1, 1, 4, 4
    )
    x = snn.SpikeTensor.from_dense(dense).requires_grad_()
    assert F.avg_pool2d(x, 2).tolist() == [[[[0, 0.75], [0.25, 0]]]]
    y = F.max_pool2d(x, 2)
    assert y.tolist() == [[[[0, 1], [1, 0]]]]
    y.backward(torch.tensor([[[[1.0, 2], [3, 4]]]]))
    # To the first spike of a window, or to its first neuron.
    assert x.grad.tolist() == [[[[1, 0, 0, 2], [0, 0, 0, 0], [0, 0, 4, 0], [0, 3, 0, 0]]]]


@pytest.mark.parametrize("kind", ["MaxPool2d", "AvgPool2d"])
def test_sequences_and_modules(kind):
    dense = spikes(4, 3, 2, 6, 6)
    module = getattr(nn, kind)(2)
    wanted = module(dense.flatten(0, 1)).unflatten(0, (4, 3))
    packed = snn.SpikeTensor.from_dense(dense).requires_grad_()
    before = snn.unpacked_operations()
    pooled = module(packed)
    pooled.sum().backward()
    assert same_bits(pooled, wanted)
    assert not any("pool" in name for name in set(snn.unpacked_operations()) - set(before))
    assert packed.grad.shape == dense.shape
    net = nn.Sequential(module, nn.Flatten(), nn.Linear(18, 5))
    assert snn.unroll(net, packed).shape == (4, 3, 5)
    with torch.inference_mode():
        assert same_bits(module(snn.SpikeTensor.from_dense(dense)), wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", POOLS)
def test_half_precision(kind, dtype):
    dense = spikes(2, 3, 6, 6).to(dtype)
    packed = snn.SpikeTensor.from_dense(dense, 3).requires_grad_()
    pooled = POOLS[kind](packed, 2)
    assert same_bits(pooled, POOLS[kind](dense, 2))
    pooled.sum().backward()
    assert packed.grad.dtype == dtype


@pytest.mark.parametrize("kind", POOLS)
def test_other_options_unpack(kind):
    dense = spikes(2, 3, 7, 7)
    for options in (dict(padding=1), dict(ceil_mode=True)):
        wanted, actual = both(POOLS[kind], dense, 2, **options)
        assert all(same_bits(a, w) for a, w in zip(actual, wanted, strict=True))
    packed = snn.SpikeTensor.from_dense(dense, 3)
    values, indices = F.max_pool2d(packed, 2, return_indices=True)
    wanted, places = F.max_pool2d(dense, 2, return_indices=True)
    assert same_bits(values, wanted) and torch.equal(indices, places)
    assert same_bits(
        F.avg_pool2d(packed, 2, divisor_override=3), F.avg_pool2d(dense, 2, None, 0, False, True, 3)
    )
    image = snn.SpikeTensor.from_dense(dense[0], 3)
    assert same_bits(POOLS[kind](image, 2), POOLS[kind](dense[0], 2))


@pytest.mark.parametrize("kind", POOLS)
def test_compiled(kind):
    torch._dynamo.reset()
    dense = spikes(2, 3, 6, 6)
    run = torch.compile(lambda x: POOLS[kind](x, 2), fullgraph=True, backend="aot_eager")
    assert same_bits(run(snn.SpikeTensor.from_dense(dense, 3)), POOLS[kind](dense, 2))
    torch._dynamo.reset()


@pytest.mark.parametrize("kind", POOLS)
def test_errors(kind):
    packed = snn.SpikeTensor.from_dense(spikes(2, 3, 4, 4), 3)
    for options in ((5,), (0,), (2, 0), (2, -1), (2, 2, 2)):
        with pytest.raises(RuntimeError):
            POOLS[kind](packed, *options)
