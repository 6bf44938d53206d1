"""The operations that the table of a `SpikeTensor` lists give bits, and the dense result."""

import pytest
import torch

from bitspike import SpikeTensor
from bitspike.spikes import table
from helpers.alike import WEIGHTS, B, N, T, check, leaves, plain, random

aten = torch.ops.aten


PACKED = {
    aten.detach.default: lambda f, x: f(x),
    aten.alias.default: lambda f, x: f(x),
    aten.clone.default: lambda f, x: f(x),
    aten._to_copy.default: lambda f, x: f(x, dtype=torch.bfloat16),
    aten.view.default: lambda f, x: f(x, [T * B, N]),
    aten._unsafe_view.default: lambda f, x: f(x, [B, T, N]),
    aten.reshape.default: lambda f, x: f(x, [T, B, 7, 10]),
    aten.transpose.int: lambda f, x: f(x, 1, 0),
    aten.permute.default: lambda f, x: f(x, [1, 0, 2]),
    aten.expand.default: lambda f, x: f(x, [4, T, B, N]),
    aten.unsqueeze.default: lambda f, x: f(x, 1),
    aten.squeeze.dim: lambda f, x: f(x[:, :1], 1),
    aten.select.int: lambda f, x: f(x, 0, 2),
    aten.slice.Tensor: lambda f, x: f(x, 0, 1, -1, 2),
    aten.narrow.default: lambda f, x: f(x, 1, 1, 2),
    aten.index_select.default: lambda f, x: f(x, 0, torch.tensor([3, 0, 3])),
    aten.split.Tensor: lambda f, x: f(x, 2),
    aten.split_with_sizes.default: lambda f, x: f(x, [1, 2], 1),
    aten.unbind.int: lambda f, x: f(x, 1),
    aten.index.Tensor: lambda f, x: f(x, [None, torch.tensor([2, 0])]),
    aten.cat.default: lambda f, x: f([x, x], 1),
    aten.stack.default: lambda f, x: f([x, x], 2),
}
REDUCED = {
    aten.sum.default: lambda f, x: f(x),
    aten.sum.dim_IntList: lambda f, x: f(x, [0]),
    aten.mean.default: lambda f, x: f(x),
    aten.mean.dim: lambda f, x: f(x, [0, 1], True),
    aten.count_nonzero.default: lambda f, x: f(x),
}
PRODUCTS = {
    aten.mm.default: lambda f, x: f(x[0], WEIGHTS.t()),
    aten.addmm.default: lambda f, x: f(torch.arange(4.0), x[0], WEIGHTS.t()),
    aten.linear.default: lambda f, x: f(x, WEIGHTS, torch.arange(4.0)),
}
TURNED = {aten.t.default: lambda f, x: f(x[0])}
POOLED = {aten.avg_pool2d.default, aten.avg_pool2d_backward.default}
"""They take feature maps: test_pooling.py."""
CONVOLVED = {aten.convolution.default, aten.convolution_backward.default}
"""Likewise: test_conv.py."""


def test_every_operation_of_the_table_is_tested():
    assert set(table.OPERATIONS) == {*PACKED, *REDUCED, *PRODUCTS, *TURNED, *POOLED, *CONVOLVED}


@pytest.mark.parametrize("function", [*PACKED, *TURNED], ids=str)
def test_packed_operations_keep_bits(function, unpacked):
    call = (PACKED | TURNED)[function]
    check(lambda x: call(function, x), random(T, B, N), packed=True)
    assert unpacked() == {}


@pytest.mark.parametrize("function", [*REDUCED, *PRODUCTS], ids=str)
def test_reductions_and_products_read_bits(function, unpacked):
    call = (REDUCED | PRODUCTS)[function]
    check(lambda x: call(function, x), random(T, B, N), packed=False)
    assert unpacked() == {}


@pytest.mark.parametrize("function", [*PACKED, *REDUCED, *PRODUCTS, *TURNED], ids=str)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_modes_without_gradient(function, mode, unpacked):
    call = (PACKED | REDUCED | PRODUCTS | TURNED)[function]
    dense = random(T, B, N)
    outside = SpikeTensor.from_dense(dense)
    expected = leaves(call(function, dense))
    with mode():
        for x in (outside, SpikeTensor.from_dense(dense)):
            got = leaves(call(function, x))
            assert all(torch.equal(plain(x), y) for x, y in zip(got, expected, strict=True))
            assert not any(x.requires_grad for x in got)
    assert unpacked() == {}
