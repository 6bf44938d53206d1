"""Neurons are ordinary modules: they are copied, saved, loaded and converted."""

import copy
import inspect
import io
import pickle

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import utils
from helpers.compare import dense, same_bits


def network(**arguments):
    arguments = dict(beta=0.8, init_hidden=True, multi_step=True, learn_beta=True) | arguments
    return nn.Sequential(nn.Linear(6, 20), snn.Leaky(**arguments), nn.Linear(20, 4)).eval()


X = torch.randn(9, 3, 6, generator=torch.Generator().manual_seed(1))


def output(net, x=X):
    utils.reset(net)
    return net(x)


# Copies and files


def pickled(net):
    return pickle.loads(pickle.dumps(net))


def saved(net):
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def state_dict_only(net):
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    fresh = network(beta=0.1)
    fresh.load_state_dict(torch.load(file, weights_only=True), strict=True)
    return fresh


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, pickled, saved, state_dict_only])
def test_copies_compute_the_same(copied):
    net = network()
    wanted = output(net)
    wanted.sum().backward()
    assert same_bits(output(copied(net)), wanted)


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled, saved])
def test_hidden_state_is_not_copied(copied):
    net = network()
    net(X)
    assert net[1].mem.grad_fn is not None
    other = copied(net)
    assert other[1].mem.shape == (0,)
    assert net[1].mem.shape == (3, 20)
    # The copy is a living neuron like any other.
    other(X)
    snn.Leaky.reset_hidden()
    assert not other[1].mem.any()


def test_state_dict():
    neuron = network()[1]
    neuron(torch.rand(2, 3, 20))
    assert list(neuron.state_dict()) == [
        "beta",
        "threshold",
        "graded_spikes_factor",
        "reset_mechanism_val",
    ]
    assert not [name for name, _ in neuron.named_buffers() if name == "mem"]


# Reset mechanism


def test_setting_the_reset_mechanism_changes_the_update():
    x = torch.rand(10, 3, 5) * 2
    changed = snn.Leaky(beta=0.9, multi_step=True)
    changed.reset_mechanism = "zero"
    assert changed.reset_mechanism_val == 1
    wanted = snn.Leaky(beta=0.9, multi_step=True, reset_mechanism="zero")(x)
    assert same_bits(changed(x)[1], wanted[1])


def test_loading_another_reset_mechanism_warns_and_adopts_it():
    x = torch.rand(10, 3, 5) * 2
    source = snn.Leaky(beta=0.9, multi_step=True, reset_mechanism="zero")
    target = snn.Leaky(beta=0.9, multi_step=True)
    with pytest.warns(UserWarning, match="zero"):
        target.load_state_dict(source.state_dict())
    assert target.reset_mechanism == "zero"
    assert same_bits(target(x)[1], source(x)[1])


def test_loading_an_unknown_reset_mechanism_is_refused():
    state = snn.Leaky(beta=0.9).state_dict()
    state["reset_mechanism_val"].fill_(7)
    with pytest.raises(ValueError, match="reset_mechanism_val is 7"):
        snn.Leaky(beta=0.9).load_state_dict(state)


def test_loading_a_graded_factor_takes_effect():
    x = torch.rand(10, 3, 5) * 2
    source = snn.Leaky(beta=0.9, multi_step=True, graded_spikes_factor=2.0)
    target = snn.Leaky(beta=0.9, multi_step=True)
    target.load_state_dict(source.state_dict())
    assert same_bits(target(x)[0], source(x)[0])


# Dtypes and devices


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_conversion(dtype):
    net = network().to(dtype)
    x = X.to(dtype).requires_grad_()
    wanted = output(network_like(net))
    actual = output(net, x)
    assert actual.dtype == dtype
    mem = net[1].mem
    assert mem.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    actual.sum().backward()
    assert x.grad.dtype == dtype and x.grad.isfinite().all()
    # The same network in float32, as far as the numbers of its weights allow.
    same = (actual.float() - wanted).abs().amax((1, 2)) < 0.1
    assert same.float().mean() > 0.5


def network_like(net):
    """The network in float32."""
    return copy.deepcopy(net).float()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_states_in_float32(dtype):
    x = (torch.rand(10, 3, 5) * 2).to(dtype)
    for arguments in ({}, dict(reset_mechanism="none"), dict(graded_spikes_factor=1.5)):
        neuron = snn.Leaky(beta=0.9, **arguments)
        mem = None
        for current in x:
            spikes, mem = neuron(current, mem)
            assert spikes.dtype == dtype and mem.dtype == torch.float32
        whole, membranes = snn.Leaky(beta=0.9, multi_step=True, **arguments)(x)
        assert dense(whole)[-1].equal(spikes.to(whole.dtype))
        assert same_bits(membranes[-1], mem)


def test_hidden_state_follows_conversion():
    net = network()
    net(X)
    assert net.double()[1].mem.dtype == torch.float64
    assert net.float()[1].mem.dtype == torch.float32
    assert net.to("meta")[1].mem.device.type == "meta"


def test_construction_on_meta():
    with torch.device("meta"):
        net = network()
    assert net[1].beta.device.type == "meta"
    assert net(torch.empty(9, 3, 6, device="meta")).shape == (9, 3, 4)
    net = net.to_empty(device="cpu")
    wanted = network()
    net.load_state_dict(wanted.state_dict())
    assert same_bits(output(net), output(wanted))


def test_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        assert snn.Leaky(beta=0.9).beta.dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    net = network()
    with torch.autocast("cpu", dtype=dtype):
        result = output(net)
        result.float().sum().backward()
    assert result.dtype == dtype
    assert net[1].mem.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in net.parameters())


# What looks at all attributes


@pytest.mark.parametrize("kind", [snn.Leaky, snn.Alpha, snn.SGRU])
def test_reset_is_there_after_a_single_step_as_in_snntorch(kind):
    arguments = {
        snn.Leaky: dict(beta=0.9),
        snn.Alpha: dict(alpha=0.9, beta=0.5),
        snn.SGRU: dict(input_size=3, hidden_size=3),
    }[kind]
    neuron = kind(**arguments)
    assert not hasattr(neuron, "reset")
    assert getattr(neuron, "reset", None) is None
    assert "reset" not in dict(inspect.getmembers(neuron))
    neuron(torch.zeros(2, 3))
    assert neuron.reset.tolist() == [[0] * 3] * 2
    neuron.run_sequence(torch.zeros(4, 2, 3))
    assert not hasattr(neuron, "reset")
