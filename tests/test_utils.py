"""Data sets in parts, as snnTorch takes them apart; states of one network and no other."""

import warnings
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike import utils

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch.utils


class Digits:
    """Samples that are their own numbers, in tensors, arrays or lists."""

    def __init__(self, samples, kind=torch.Tensor):
        self.data = torch.arange(3 * samples).view(samples, 3)
        self.targets = torch.arange(samples)
        if kind is list:
            self.targets = self.targets.tolist()
        elif kind is not torch.Tensor:
            self.data, self.targets = self.data.numpy(), self.targets.numpy()

    def __len__(self):
        return len(self.data)

    def numbers(self):
        assert len(self.targets) == len(self.data)
        assert [row[0] for row in self.data.tolist()] == [3 * int(i) for i in self.targets]
        return [int(i) for i in self.targets]


@given(st.integers(1, 40), st.integers(-1, 12), st.data())
def test_subsets_are_those_of_snntorch(samples, subset, data):
    subset = min(subset, samples)
    idx = data.draw(st.integers(0, max(subset, 1) - 1))
    ours, theirs = Digits(samples), Digits(samples)
    assert utils.data_subset(ours, subset, idx) is ours
    snntorch.utils.data_subset(theirs, subset, idx)
    assert ours.numbers() == theirs.numbers()
    assert len(ours) == (samples // subset if subset > 1 else samples)


@given(st.integers(1, 60), st.floats(0, 1), st.integers(0, 2**32))
def test_splits_are_those_of_snntorch(samples, split, seed):
    ours = Digits(samples), Digits(samples)
    theirs = snntorch.utils.valid_split(Digits(samples), Digits(samples), split, seed)
    assert utils.valid_split(*ours, split, seed) == ours
    for mine, wanted in zip(ours, theirs, strict=True):
        assert mine.numbers() == wanted.numbers()
    assert sorted(ours[0].numbers() + ours[1].numbers()) == list(range(samples))


@pytest.mark.parametrize("kind", [torch.Tensor, "array", list])
def test_kinds_of_data_sets(kind):
    assert utils.data_subset(Digits(10, kind), 3, 2).numbers() == [6, 7, 8]
    train, val = utils.valid_split(Digits(10, kind), Digits(10, kind), 0.3)
    assert val.numbers() == sorted(val.numbers()) and len(val) == 3
    assert sorted(train.numbers() + val.numbers()) == list(range(10))
    assert type(train.targets) is type(Digits(1, kind).targets)


def test_errors_of_data_sets_change_nothing():
    digits = Digits(10)
    with pytest.raises(ValueError, match="subset is 11, but the dataset has 10"):
        utils.data_subset(digits, 11)
    for idx in (-1, 3):
        with pytest.raises(ValueError, match=f"idx must be between 0 and 2, not {idx}"):
            utils.data_subset(digits, 3, idx)
    for split in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="split must be a share"):
            utils.valid_split(digits, Digits(10), split)
    with pytest.raises(ValueError, match="same object"):
        utils.valid_split(digits, digits, 0.5)
    assert digits.numbers() == list(range(10))


# States


def nested():
    return nn.Sequential(
        nn.Linear(3, 3),
        nn.ModuleDict({"a": snn.Synaptic(alpha=0.8, beta=0.9, init_hidden=True)})["a"],
        nn.Sequential(nn.Sequential(snn.RLeaky(beta=0.9, linear_features=3, init_hidden=True))),
    )


def states(net):
    return [net[1].syn, net[1].mem, net[2][0][0].spk, net[2][0][0].mem]


def test_detach_keeps_numbers_and_cuts_this_network_alone():
    net, other = nested(), nested()
    for one in (net, other):
        one(torch.rand(2, 3))
    before = [state.clone() for state in states(net)]
    assert all(state.requires_grad for state in before)
    utils.detach(net)
    for state, wanted in zip(states(net), before, strict=True):
        assert torch.equal(state, wanted) and not state.requires_grad
    assert all(state.requires_grad for state in states(other))


def test_reset_zeroes_this_network_alone():
    net, other = nested(), nested()
    for one in (net, other):
        one(torch.full((2, 3), 3.0))
    utils.reset(net)
    assert not any(state.any() or state.requires_grad for state in states(net))
    assert other[1].mem.any() and other[1].mem.requires_grad


def test_detached_network_takes_two_backward_passes():
    net = nested()
    for _ in range(2):
        net(torch.rand(2, 3)).sum().backward()
        utils.detach(net)


def test_detach_before_the_first_call_and_without_neurons():
    net = nested()
    utils.detach(net)
    assert all(state.shape == (0,) for state in states(net))
    utils.detach(nn.Linear(2, 2))


def test_numpy_is_needed_for_splits_only():
    assert not hasattr(utils, "np")
    train = SimpleNamespace(data=torch.arange(4), targets=torch.arange(4))
    assert utils.data_subset(train, 2).data.tolist() == [0, 1]
