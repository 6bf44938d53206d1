"""Operations on spikes and on the same dense tensors, compared."""

import pytest
import torch

from bitspike import SpikeTensor

T, B, N = 5, 3, 70


def random(*shape, density=0.4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape or (1,), generator=generator) < density).float().view(shape)


def same(spikes, dense):
    """Whether spikes hold these values, in the dtype of ``dense``."""
    unpacked = spikes.dense()
    assert type(spikes) is SpikeTensor and type(unpacked) is torch.Tensor
    return (
        spikes.shape == dense.shape and spikes.dtype == dense.dtype and torch.equal(unpacked, dense)
    )


def plain(x):
    return x.dense() if type(x) is SpikeTensor else x


def leaves(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


def check(operation, *operands, packed=None, exact=True):
    """Runs an operation on spikes and on the same dense tensors, and compares.

    ``packed`` says whether the results are bits; None leaves it open.
    """
    expected = leaves(operation(*operands))
    got = leaves(operation(*(SpikeTensor.from_dense(x) for x in operands)))
    assert len(got) == len(expected)
    for x, y in zip(got, expected, strict=True):
        if not isinstance(y, torch.Tensor):
            assert x == y
            continue
        if packed is not None:
            assert type(x) is (SpikeTensor if packed else torch.Tensor)
        x = plain(x)
        assert x.shape == y.shape and x.dtype == y.dtype
        tolerance = 0 if exact else 1e-5
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance, equal_nan=True)


def refused_alike(operation, *operands):
    """Asserts that an operation raises on spikes what it raises on dense tensors."""
    with pytest.raises(Exception) as expected:
        operation(*operands)
    with pytest.raises(Exception) as got:
        operation(*(SpikeTensor.from_dense(x) for x in operands))
    assert got.type is expected.type


WEIGHTS = torch.arange(4.0 * N).view(4, N) % 7 - 3
