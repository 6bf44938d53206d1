"""Packed spikes that are moved to another device: as bits on their way, as numbers there."""

import pytest
import torch
from torch import nn

from bitspike import SpikeTensor, unpacked_operations
from bitspike.spikes.views import unpacked
from helpers.alike import random

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def spikes_of(kind):
    if kind == "channels_last":
        maps = random(3, 2, 5, 4, 6)
        words = SpikeTensor.from_dense(maps.movedim(2, -1).contiguous()).words
        return SpikeTensor(words, (5, 4, 6), _channels_last=True), maps
    shape = {"odd": (3, 2, 70), "whole": (3, 2, 128), "maps": (3, 2, 5, 4, 6), "none": (3, 0, 70)}
    if kind in shape:
        dense = random(*shape[kind])
        return SpikeTensor.from_dense(dense), dense
    dense = random(3, 70)
    if kind == "transposed":
        return SpikeTensor.from_dense(dense).t(), dense.t()
    return SpikeTensor.from_dense(dense.bfloat16()), dense.bfloat16()


KINDS = ("odd", "whole", "maps", "none", "channels_last", "transposed", "bfloat16")


@pytest.mark.parametrize("kind", KINDS)
def test_bits_are_unpacked_by_torch(kind):
    spikes, dense = spikes_of(kind)
    found = spikes._arranged(unpacked(spikes.words, spikes.neurons).to(spikes.dtype))
    assert torch.equal(found, dense) and found.dtype == dense.dtype


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", ["meta", pytest.param("cuda", marks=on_a_gpu)])
def test_moving(kind, device):
    spikes, dense = spikes_of(kind)
    before = unpacked_operations()
    for moved in (spikes.to(device), spikes.to(device, torch.float64)):
        assert type(moved) is torch.Tensor and moved.device.type == device
        assert moved.shape == dense.shape
        assert moved.is_meta or torch.equal(moved.cpu(), dense.to(moved.dtype))
    assert unpacked_operations() == before, "numbers were moved, not bits"


def test_nothing_native_takes_another_device():
    spikes, _ = spikes_of("odd")
    with pytest.raises(ValueError, match="on the CPU"):
        SpikeTensor(spikes.words.to("meta"), (70,))


@on_a_gpu
def test_a_gradient_comes_back():
    spikes, dense = spikes_of("odd")
    spikes.requires_grad_()
    weights = torch.randn(3, 2, 70)
    (spikes.cuda() * weights.cuda()).sum().backward()
    assert torch.equal(spikes.grad, weights)


@on_a_gpu
@pytest.mark.parametrize("kind", ["odd", "maps"])
def test_products_are_those_of_torch(kind):
    spikes, dense = spikes_of(kind)
    layer = nn.Linear(70, 5) if kind == "odd" else nn.Conv2d(5, 3, 3)
    rows = (lambda x: x) if kind == "odd" else (lambda x: x.flatten(0, 1))
    layer.cuda()
    found, wanted = layer(rows(spikes.cuda())), layer(rows(dense.cuda()))
    assert found.is_cuda and torch.equal(found, wanted)


@on_a_gpu
def test_devices_do_not_mix():
    spikes, _ = spikes_of("odd")
    with pytest.raises(RuntimeError, match="device"):
        nn.Linear(70, 5).cuda()(spikes)
    with pytest.raises(RuntimeError, match="device"):
        nn.Linear(70, 5)(spikes.cuda())
