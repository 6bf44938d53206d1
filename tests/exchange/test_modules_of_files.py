"""Networks that come back from files as modules."""

import copy
import json

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import surrogate
from bitspike.ops import network as native
from helpers.cases import CASES
from helpers.exact import exact

KEPT = {"init_hidden": True}
DERIVED = ("QIF", "EIF", "AdEx", "HodgkinHuxley", "ResonateAndFire", "Lapicque")
"""Whose coefficients do not tell their arguments."""


class Looped(nn.Module):
    """Explicit states, two recordings, and spikes that come back."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(20, 12), snn.Leaky(beta=0.9, reset_mechanism="zero")
        self.back, self.block = nn.Linear(12, 12, bias=False), nn.Sequential(nn.Linear(12, 4))
        self.lif2 = snn.Synaptic(alpha=0.8, beta=0.9, reset_delay=False)

    def forward(self, x):
        mem1, (syn2, mem2) = self.lif1.reset_mem(), self.lif2.reset_mem()
        spk1 = torch.zeros(x.shape[1], 12)
        spikes, membranes = [], []
        for step in x:
            spk1, mem1 = self.lif1(self.fc1(step) + self.back(spk1), mem1)
            spk2, syn2, mem2 = self.lif2(self.block(spk1), syn2, mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)


def recurrent():
    return nn.Sequential(
        nn.Linear(20, 6),
        snn.RSynaptic(alpha=0.5, beta=0.9, linear_features=6, **KEPT),
        snn.RLeaky(beta=0.9, all_to_all=False, V=0.5, **KEPT),
        snn.RALIF(beta=0.9, rho=0.8, beta_a=0.3, linear_features=6, **KEPT),
        snn.LI(beta=0.9, **KEPT),
    )


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.MaxPool2d(3, stride=2, padding=1),
        snn.Leaky(beta=0.9, graded_spikes_factor=0.5, order="fire_first", **KEPT),
        nn.Conv2d(4, 4, 2, dilation=2, groups=2),
        snn.IF(**KEPT),
        nn.MaxPool2d(2, stride=1),
        snn.SynapticDelay(max_delay=3, delay=2.0),
        nn.AvgPool2d(2, stride=1, padding=1),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


def spikes(*shape):
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(10, 3, *shape, generator=generator) < 0.4).float()


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    return tmp_path / "network.safetensors"


def streamed(file, x):
    """The outputs of all steps, as a tuple."""
    stream = snn.stream(file, batch=x.shape[1])
    steps = [stream(step) for step in x]
    steps = [step if isinstance(step, tuple) else (step,) for step in steps]
    return [torch.stack(outputs) for outputs in zip(*steps, strict=True)]


def tuple_of(result):
    return result if isinstance(result, tuple) else (result,)


NETWORKS = {
    "loop": (Looped, spikes(20), spikes(20)),
    "recurrent": (recurrent, spikes(20), spikes(20)[0]),
    "convolutional": (convolutional, spikes(1, 8, 8), spikes(1, 8, 8)[0]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_runs_and_is_saved_again(name, path):
    make, x, sample = NETWORKS[name]
    net = exact(make())
    snn.save_network(net, path, sample)
    file = snn.load_network(path)
    back = file.module()
    expected = streamed(file, x)
    assert any(outputs.any() for outputs in expected)
    with torch.no_grad():
        for result in (back(x), copy.deepcopy(back)(x), snn.vectorize(back)(x)):
            for a, b in zip(tuple_of(result), expected, strict=True):
                assert torch.equal(a * 1, b)
    snn.save_network(back, path, x)
    for a, b in zip(streamed(snn.load_network(path), x), expected, strict=True):
        assert torch.equal(a, b)


def test_parameters_and_states_keep_their_names(path):
    net = exact(Looped())
    snn.save_network(net, path, spikes(20))
    back = snn.load_network(path).module()
    assert dict(back.named_parameters()).keys() == dict(net.named_parameters()).keys()
    saved = net.state_dict()
    assert back.state_dict().keys() == saved.keys()
    assert all(torch.equal(x, saved[name]) for name, x in back.state_dict().items())
    assert back.lif2.reset_delay is False and back.lif1.reset_mechanism == "zero"


def test_a_network_that_came_back_trains_as_the_one_that_was_saved(path):
    net, x = exact(Looped()), spikes(20)
    snn.save_network(net, path, x)
    back = snn.load_network(path).module(spike_grad=surrogate.triangle(2.0))
    for neuron in (net.lif1, net.lif2):
        neuron.spike_grad = surrogate.triangle(2.0)
    for trained in (net, back):
        trained(x)[1].square().mean().backward()
    assert net.fc1.weight.grad.any()
    for a, b in zip(net.parameters(), back.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_neurons_come_back_or_say_why_not(case, path):
    neuron = case.neuron(6, *case.resets()[0], learn=False, multi_step=False, **KEPT)
    x = case.inputs(10, 3, 6)[0]
    snn.save_network(neuron, path, x[0])
    file = snn.load_network(path)
    if str(case) in DERIVED:
        with pytest.raises(snn.graph.GraphError, match=f"not the arguments of {case}"):
            file.module()
        return
    with torch.no_grad():
        result = tuple_of(file.module()(x))
    for a, b in zip(result, streamed(file, x), strict=True):
        torch.testing.assert_close(a * 1, b, rtol=1e-5, atol=1e-6)


def test_ops_that_python_does_not_write(path):
    firing = {"reset": "subtract", "reset_delay": True, "fire_at": "gt", "order": "integrate_first"}
    firing |= {"recurrent": None, "state": ["mem"], "initial": [0]}
    maps = {"kernel": [2, 2], "stride": [2, 1]}
    graph = {
        "dt": 1e-3,
        "inputs": [{"name": "in", "shape": [1, 4, 3], "kind": "numbers"}],
        "previous": [],
        "ops": [
            {"op": "sumpool", "in": "in", "out": "sums", **maps},
            {"op": "threshold", "in": "sums", "out": "bits", "threshold": "t", "fire_at": "gt"},
            {"op": "flatten", "in": "bits", "out": "flat"},
            {"op": "sumpool", "in": "bits", "out": "again", "kernel": [1, 2], "stride": [1, 2]},
            {"op": "linear", "in": "flat", "out": "current", "weight": "w", "bias": None},
            {"op": "if", "in": "current", "out": "spikes", "threshold": 1.5, **firing},
        ],
        "outputs": ["spikes", "mem", "again"],
    }
    tensors = {"w": torch.tensor([[1.0, 0.5, -0.25, 0.75]]), "t": torch.tensor([[0.5, 1.0]])}
    path.write_bytes(native.write(json.dumps(graph), tensors))
    file, x = snn.load_network(path), (torch.rand(10, 3, 1, 4, 3) * 4).round() / 8
    expected = streamed(file, x)
    assert expected[0].any() and expected[2].any()
    with torch.no_grad():
        for a, b in zip(file.module()(x), expected, strict=True):
            assert torch.equal(a * 1, b)


def test_other_numbers_than_a_class_can_have_are_refused(path):
    from bitspike.exchange import network_file as content

    snn.save_network(snn.Leaky(beta=0.5, init_hidden=True), path, torch.ones(1, 2))
    graph, tensors = content._content(path.read_bytes())
    path.write_bytes(native.write(graph.replace('"initial": [0.0]', '"initial": [0.5]'), tensors))
    with pytest.raises(snn.graph.GraphError, match="Leaky has other numbers than a Leaky can"):
        snn.load_network(path).module()
