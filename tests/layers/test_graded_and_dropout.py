"""`GradedSpikes` and `TimeDropout`."""

import copy
import pickle

import pytest
import snntorch
import torch
from torch import nn

import bitspike as snn
from helpers.compare import same_bits

# GradedSpikes


def test_neurons_are_scaled_and_not_samples():
    ours, theirs = snn.GradedSpikes(3, constant_factor=None), snntorch.GradedSpikes(3, None)
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weights"]
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x = (torch.rand(3, 3) < 0.7).float()
    weights = theirs.weights.detach()
    assert same_bits(ours(x), x * weights.t())
    # F43: with B = size it scales samples, and with any other batch it fails.
    assert same_bits(theirs(x), x * weights)
    with pytest.raises(RuntimeError):
        theirs(torch.rand(5, 3))
    assert same_bits(ours(torch.ones(5, 3))[4], weights[:, 0])


def test_initial_weights():
    assert snn.GradedSpikes(4, 2.5).weights.flatten().tolist() == [2.5] * 4
    for factor in (None, 0, 0.0, False):
        weights = snn.GradedSpikes(1000, factor).weights
        assert (
            weights.shape == (1000, 1) and 0.5 <= weights.min() < 0.6 < 1.4 < weights.max() <= 1.5
        )


def test_graded_gradients_and_spikes():
    layer = snn.GradedSpikes(3, 2.0)
    dense = torch.tensor([[[1.0, 0, 1]], [[0, 0, 1]]], requires_grad=True)
    layer(dense).sum().backward()
    assert layer.weights.grad.flatten().tolist() == [1, 0, 2]
    assert (dense.grad == 2).all()
    packed = snn.SpikeTensor.from_dense(dense.detach())
    assert same_bits(layer(packed), layer(dense))
    assert layer.to(torch.float64)(dense.double()).dtype == torch.float64
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert same_bits(other(dense.double()), layer(dense.double()))


@pytest.mark.parametrize("shape", [(2, 4), (3, 2, 1), ()])
def test_graded_errors(shape):
    with pytest.raises(ValueError, match=r"x must be \[\*, 3\], or"):
        snn.GradedSpikes(3, 1.0)(torch.rand(shape))


# TimeDropout

ONES = torch.ones(7, 4, 50)


def is_one_mask(y, p):
    mask = y[0]
    same = all(same_bits(step, mask) for step in y)
    return same and torch.equal(mask.unique(), torch.tensor([0.0, 1 / (1 - p)]))


@pytest.mark.parametrize("p", [0.25, 0.5, 0.75])
def test_one_mask_per_sequence(p):
    whole = snn.TimeDropout(p, multi_step=True)
    first, second = whole(ONES), whole(ONES)
    assert is_one_mask(first, p) and is_one_mask(second, p)
    assert not same_bits(first, second)
    assert not same_bits(first[:, 0], first[:, 1])
    many = snn.TimeDropout(p, multi_step=True)(torch.ones(1, 100, 1000))
    assert abs((many == 0).float().mean() - p) < 0.01


def test_single_steps_keep_the_mask_until_reset():
    layer = snn.TimeDropout(0.5)
    net = nn.Sequential(nn.Sequential(layer))
    first = torch.stack([net(step) for step in ONES])
    assert is_one_mask(first, 0.5)
    assert same_bits(snn.unroll(net, ONES), first)
    for clear in (lambda: snn.utils.reset(net), layer.reset_mem, snn.TimeDropout.reset_hidden):
        clear()
        second = torch.stack([net(step) for step in ONES])
        assert is_one_mask(second, 0.5) and not same_bits(first, second)
        first = second
    assert layer(ONES[0, :2]).shape == (2, 50)


def test_draws_follow_the_seed():
    layer = snn.TimeDropout(0.5, multi_step=True)
    torch.manual_seed(3)
    first = layer(ONES)
    torch.manual_seed(3)
    assert same_bits(layer(ONES), first)


def test_dropout_evaluation_and_extremes():
    x = torch.randn(5, 2, 3)
    for multi_step in (True, False):
        layer = snn.TimeDropout(0.5, multi_step=multi_step).eval()
        assert layer(x) is x and layer.mask.shape == (0,)
    assert same_bits(snn.TimeDropout(0.0)(x), x)
    assert not snn.TimeDropout(1.0)(x).any()


def test_dropout_gradient_dtypes_copies():
    layer = snn.TimeDropout(0.5)
    x = torch.ones(4, 50, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert same_bits(x.grad, y.detach())
    assert not layer.state_dict()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.mask.shape == (0,) and other.p == 0.5
    assert layer(x.double()).dtype == torch.float64
    assert layer(x.bfloat16()).dtype == torch.bfloat16
    spikes = snn.SpikeTensor.from_dense((torch.rand(7, 4, 50) < 0.5).float())
    whole = snn.TimeDropout(0.5, multi_step=True)
    assert not whole(spikes)[spikes.dense() == 0].any()
    assert layer(torch.ones(4, 50, dtype=torch.int64)).is_floating_point()


def test_compiled():
    torch._dynamo.reset()
    graded = torch.compile(snn.GradedSpikes(50, 2.0), fullgraph=True, backend="aot_eager")
    assert (graded(ONES) == 2).all()
    dropout = torch.compile(
        snn.TimeDropout(0.5, multi_step=True), fullgraph=True, backend="aot_eager"
    )
    assert is_one_mask(dropout(ONES), 0.5)
    torch._dynamo.reset()


def test_dropout_errors():
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"p must be in \[0, 1\]"):
            snn.TimeDropout(p)
    with pytest.raises(ValueError, match="sequence"):
        snn.TimeDropout(multi_step=True)(torch.tensor(1.0))
