"""Networks as files, and back."""

import json
import re

import pytest
import torch
from torch import nn

import bitspike as snn
from helpers.exact import exact


def network():
    torch.manual_seed(0)
    return exact(nn.Sequential(nn.Linear(70, 5), snn.Leaky(beta=0.9, init_hidden=True)))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.safetensors"


def test_a_saved_network_runs_as_it_did(path):
    net, x = network(), (torch.rand(12, 2, 70) < 0.3).float()
    snn.save_network(net, path, x[0], dt=0.002)
    loaded = snn.load_network(path)
    assert loaded.dt == 0.002 and loaded.input == ((70,), True) and loaded.outputs == ("1.spikes",)
    stream = snn.stream(loaded, batch=2)
    net[1].reset_mem()
    with torch.no_grad():
        for step in x:
            assert torch.equal(stream(step), net(step))


def test_weights_lie_under_the_names_of_the_state_dict(path):
    net = network()
    snn.save_network(net, path, torch.ones(1, 70))
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert header["__metadata__"]["format"] == "bitspike.network/1"
    for name in ("0.weight", "0.bias"):
        assert header[name]["shape"] == list(net.state_dict()[name].shape)
        assert header[name]["dtype"] == "F32"


def test_verify_runs_the_steps_in_the_file(path):
    snn.save_network(network(), path, torch.ones(1, 70))
    snn.verify(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="digest"):
        snn.verify(path)


def test_a_file_that_promises_other_results_is_found_out(path):
    from bitspike.exchange import network_file as file
    from bitspike.ops import network as native

    snn.save_network(network(), path, torch.ones(1, 70))
    graph, tensors = file._content(path.read_bytes())
    name = "selftest.output:1.spikes"
    path.write_bytes(native.write(graph, tensors | {name: 1 - tensors[name]}))
    with pytest.raises(ValueError, match=r"1\.spikes"):
        snn.verify(path)
    del tensors["selftest.input"]
    path.write_bytes(native.write(graph, tensors))
    with pytest.raises(ValueError, match="no steps"):
        snn.verify(path)


def test_the_sample_decides_what_comes_in(path):
    for sample, is_spikes in ((torch.ones(1, 70), True), (torch.full((1, 70), 0.5), False)):
        snn.save_network(network(), path, sample)
        assert snn.load_network(path).input.is_spikes is is_spikes
    snn.save_network(network(), path, torch.ones(1, 70), kind="numbers")
    assert not snn.load_network(path).input.is_spikes


def test_a_file_that_is_none_is_refused(path):
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(ValueError, match="header|limit"):
        snn.load_network(path)


@pytest.mark.parametrize("shape", [(70,), (2, 0)])
def test_a_sample_without_neurons_is_refused(path, shape):
    net = network() if shape == (70,) else snn.Leaky(beta=0.9, init_hidden=True)
    message = "sample must be one step .* not " + re.escape(str(list(shape)))
    for refuses in (lambda x: snn.save_network(net, path, x), lambda x: snn.stream(net, x)):
        with pytest.raises(ValueError, match=message):
            refuses(torch.zeros(shape))
    assert not path.exists()
