"""Existing networks with quantised weights, and the way back."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import bitspike as snn
from bitspike import quantize, spikegen
from bitspike.learning import online
from helpers.compare import error, same_bits


def lif(**options):
    return snn.Leaky(beta=0.9, init_hidden=True, multi_step=True, **options)


def network():
    return nn.Sequential(
        *(nn.Linear(24, 30), lif()),
        nn.Sequential(nn.Linear(30, 30), lif()),
        *(nn.Linear(30, 10), lif()),
    )


class Branches(nn.Module):
    """Convolutions side by side, and a recurrent layer."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.left, self.right = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.lif = snn.Leaky(beta=0.9, init_hidden=True)
        self.back = snn.RLeaky(beta=0.9, linear_features=10, init_hidden=True)
        self.fc = nn.Linear(100, 10)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = self.lif(self.left(x) + self.right(x))
        return self.back(self.fc(x.flatten(1)))


def kinds(net):
    layers = {name: type(x).__name__ for name, x in net.named_modules()}
    return {name: kind for name, kind in layers.items() if "Linear" in kind or "Conv" in kind}


def spikes():
    return spikegen.rate(torch.rand(5, 24), num_steps=12, packed=True)


def test_the_first_and_the_last_layer_stay_floats():
    net = network()
    before = {name: x.clone() for name, x in net.state_dict().items()}
    prepared = quantize.prepare(net, 4)
    assert kinds(net) == {"0": "Linear", "2.0": "Linear", "3": "Linear"}
    assert kinds(prepared) == {"0": "Linear", "2.0": "QuantLinear", "3": "Linear"}
    assert prepared[2][0].weight_quant == quantize.Integer(4)
    assert list(prepared.state_dict()) == list(before)
    for name, x in prepared.state_dict().items():
        assert x.equal(before[name]) and x.data_ptr() != net.state_dict()[name].data_ptr()


def test_layers_have_formats_of_their_own():
    layers = {"2.0": quantize.Ternary(), "3": None}
    net = quantize.prepare(network(), 8, first=quantize.Float(), last=2, layers=layers)
    assert kinds(net) == {"0": "QuantLinear", "2.0": "QuantLinear", "3": "Linear"}
    assert net[0].weight_quant == quantize.Float()
    assert net[2][0].weight_quant == quantize.Ternary()


def test_convolutions_branches_and_recurrence():
    torch.manual_seed(1)
    net = quantize.prepare(Branches(), quantize.Integer(4, learned=True))
    assert kinds(net) == {
        "stem": "Conv2d",
        "left": "QuantConv2d",
        "right": "QuantConv2d",
        "back.recurrent": "QuantLinear",
        "fc": "Linear",
    }
    scales = [name for name in net.state_dict() if name.endswith("weight_scale")]
    assert scales == [f"{x}.weight_scale" for x in ("left", "right", "back.recurrent")]
    net(torch.rand(2, 1, 5, 5)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_hooks_optimisers_and_those_who_share_a_layer_see_it():
    net = network()
    seen, shared = [], net[2][0]
    shared.register_forward_hook(lambda *call: seen.append(call))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    weight = shared.weight
    assert quantize.prepare(net, 2, in_place=True) is net
    assert net[2][0] is shared and type(shared) is quantize.QuantLinear
    before = weight.detach().clone()
    net(spikes()).sum().backward()
    optimizer.step()
    assert seen and shared.weight is weight and not weight.equal(before)


def test_preparing_again_changes_the_format():
    once = quantize.prepare(network(), quantize.Integer(4, learned=True))
    again = quantize.prepare(once, quantize.Binary(), first=8)
    assert type(again[2][0]) is quantize.QuantLinear
    assert again[2][0].weight_quant == quantize.Binary() and again[2][0].weight_scale is None
    back = quantize.prepare(again, 8, first=8, layers={"2.0": None})
    assert kinds(back) == {"0": "QuantLinear", "2.0": "Linear", "3": "Linear"}
    assert back[2][0].weight.equal(once[2][0].weight)
    assert list(back.state_dict()) == list(network().state_dict())


@pytest.mark.parametrize("form", (quantize.Integer(4, learned=True), quantize.Ternary()), ids=str)
def test_frozen_layers_are_plain_and_compute_the_same(form, tmp_path):
    net = quantize.prepare(network(), form, last=8)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3)
    frozen = quantize.freeze(net)
    assert kinds(frozen) == {"0": "Linear", "2.0": "Linear", "3": "Linear"}
    assert type(net[2][0]) is quantize.QuantLinear
    assert list(frozen.state_dict()) == list(network().state_dict())
    wanted = net(spikes_ := spikes())
    assert 0 < wanted.mean() < 1
    assert same_bits(frozen(spikes_), wanted)
    # What takes plain networks takes it.
    fused = snn.fuse(frozen)
    snn.utils.reset(frozen)
    assert same_bits(fused(spikes_), wanted)
    files = [tmp_path / "frozen.safetensors", tmp_path / "rounded.safetensors"]
    for each, file in zip((frozen, net), files, strict=True):
        snn.utils.reset(each)
        snn.save_network(each, file, spikes_)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_network_of_quantised_layers_in_one_operation_gives_the_same_gradients():
    net = quantize.prepare(network(), 4, first=4, last=4)
    x, results = spikes(), []
    for run in (net, snn.fuse(net)):
        snn.utils.reset(net)
        net.zero_grad()
        run(x).sum().backward()
        results.append([p.grad.clone() for p in net.parameters()])
    for a, b in zip(*results, strict=True):
        assert a.abs().sum() > 0 and error(a, b) < 1e-5


def test_rules_that_hold_traces_refuse_rounded_weights():
    net = nn.Sequential(nn.Linear(24, 10), snn.Leaky(beta=0.9, init_hidden=True))
    net = quantize.prepare(net, 4, first=4)
    with pytest.raises(TypeError, match=r"no trace: QuantLinear computes with other weights"):
        online.Learner(net, online.EProp())(spikes()[0])


def test_what_cannot_be_prepared_is_refused():
    with pytest.raises(ValueError, match=r"2\.0: integers have 8, 4 or 2 bits, not 3: take the"):
        quantize.prepare(network(), 3)
    with pytest.raises(ValueError, match=r"3: integers have 8, 4 or 2 bits, not 16"):
        quantize.prepare(network(), 8, layers={"3": 16})
    with pytest.raises(ValueError, match=r"layers names '2', which is no .* '0', '2\.0', '3'"):
        quantize.prepare(network(), 8, layers={"2": 4})
    for few in (nn.Sequential(nn.Linear(2, 3), lif(), nn.Linear(3, 2)), nn.Sequential(lif())):
        with pytest.raises(ValueError, match="nothing is left to quantise"):
            quantize.prepare(few)
    net = network()
    parametrizations.spectral_norm(net[2][0])
    with pytest.raises(ValueError, match=r"2\.0 is a ParametrizedLinear.*layers={'2.0': None}"):
        quantize.prepare(net, 8)
    assert type(quantize.prepare(net, 8, last=8, layers={"2.0": None})[3]) is quantize.QuantLinear
