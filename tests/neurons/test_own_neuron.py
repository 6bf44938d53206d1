"""A neuron of one's own has a step, and does what all neurons do."""

import copy

import pytest
import torch

import bitspike as snn
from helpers.compare import same_bits


class Complementary(snn.Neuron):
    """`CLIF`, in a few lines."""

    STATES = ("m", "mem")
    DEFAULTS = {"beta": 0.5}

    def step(self, current, m, mem):
        depth = self.threshold + torch.sigmoid(m)
        mem = self.beta * (mem - self.mem_reset(mem) * depth) + current
        spikes = self.fire(mem)
        return spikes, (m * torch.sigmoid((1 - self.beta) * mem) + spikes, mem)


class Resting(snn.Neuron):
    """A membrane that starts elsewhere than at 0."""

    STATES = ("mem",)

    def rest(self):
        return (-0.5,)

    def step(self, current, mem):
        return self.fire(mem + current), (mem + current,)


def trained(neuron, x, *states):
    """Everything that a call returns, and all gradients."""
    neuron = copy.deepcopy(neuron)
    x = x.clone().requires_grad_()
    spikes, *others = neuron(x, *states)
    (spikes * torch.linspace(0, 1, spikes.numel()).view(spikes.shape)).sum().backward()
    return [spikes * 1, *others, x.grad, *(p.grad for p in neuron.parameters())]


@pytest.mark.parametrize("multi_step", [False, True])
def test_ten_lines_are_the_neuron_of_the_library(multi_step):
    options = dict(beta=torch.rand(7), learn_beta=True, threshold=0.6, multi_step=multi_step)
    x = torch.rand(*([9] if multi_step else []), 4, 7)
    wanted = trained(snn.CLIF(**options), x)
    actual = trained(Complementary(**options), x)
    assert wanted[0].mean() > 0.02 and wanted[-2].count_nonzero()
    for a, b in zip(actual, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)
    assert same_bits(actual[0], wanted[0]) and same_bits(actual[2], wanted[2])


def test_sequences_are_packed_and_equal_their_steps():
    x = torch.rand(9, 4, 70)
    neuron = Complementary(init_hidden=True)
    steps = torch.stack([neuron(current) for current in x])
    kept = neuron.mem
    neuron = Complementary(multi_step=True)
    spikes, m, mem = neuron(x)
    assert isinstance(spikes, snn.SpikeTensor) and same_bits(spikes, steps)
    assert same_bits(mem[-1], kept)
    again = Complementary(init_hidden=True, multi_step=True)
    assert same_bits(again(x[:5]), steps[:5]) and same_bits(again(x[5:]), steps[5:])
    snn.utils.reset(again)
    assert same_bits(again(x[:5]), steps[:5])


def test_in_a_network_over_time():
    net = torch.nn.Sequential(torch.nn.Linear(5, 6), Complementary(init_hidden=True))
    x = torch.rand(7, 3, 5)
    wanted = torch.stack([net(step) for step in x])
    snn.utils.reset(net)
    assert torch.equal(snn.unroll(net, x) * 1, wanted)


def test_state_dict_and_copies():
    neuron = Complementary(beta=torch.rand(3), learn_beta=True)
    assert [name for name, _ in neuron.named_parameters()] == ["beta"]
    other = Complementary(beta=torch.rand(3), learn_beta=True)
    other.load_state_dict(neuron.state_dict())
    assert torch.equal(other.beta, neuron.beta)
    assert torch.equal(copy.deepcopy(neuron).beta, neuron.beta)


def test_states_start_at_rest():
    _, mem = Resting(multi_step=True)(torch.full((2, 1, 1), 0.25))
    assert mem.flatten().tolist() == [-0.25, 0.0]


def test_its_states_may_be_passed():
    _, mem = Resting()(torch.ones(2), torch.tensor([1.0, 2.0]))
    assert mem.tolist() == [2.0, 3.0]
    _, m, mem = Complementary()(torch.ones(2), torch.ones(2))
    assert m.shape == mem.shape == (2,)
    with pytest.raises(TypeError, match="has 1 states, mem, and was given 2"):
        Resting()(torch.ones(2), torch.ones(2), torch.ones(2))


def test_errors():
    with pytest.raises(TypeError, match="gamma"):
        Complementary(gamma=1.0)
    with pytest.raises(TypeError, match="learn_gamma"):
        Complementary(learn_gamma=True)
    with pytest.raises(ValueError, match="beta has shape"):
        Complementary(beta=torch.rand(3))(torch.rand(2, 4))
    with pytest.raises(TypeError, match="needs STATES"):
        type("Stateless", (snn.Neuron,), {"step": lambda self, current: current})
    with pytest.raises(TypeError, match="and a method step"):
        type("Stepless", (snn.Neuron,), {"STATES": ("mem",)})
    for attributes in (
        {"STATES": ("fire",)},
        {"STATES": ("mem",), "DEFAULTS": {"mem": 1.0}},
        {"STATES": ("mem", "mem")},
        {"STATES": ("mem",), "DEFAULTS": {"step": 1.0}},
    ):
        with pytest.raises(TypeError, match="twice, or all neurons have it"):
            type("Taken", (snn.Neuron,), {"step": Resting.step} | attributes)
    taken = {"STATES": ("mem",), "DEFAULTS": {"threshold": 1.0}, "step": Resting.step}
    with pytest.raises(TypeError, match="'threshold' of Taken is something all neurons have"):
        type("Taken", (snn.Neuron,), taken)()


def test_it_has_a_program():
    assert snn.program.refusal(Complementary()) is None
    text = str(snn.program.capture(Complementary()).forward)
    assert "mem' = beta * (mem - " in text
