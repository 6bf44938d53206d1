"""Networks step by step in one native call, against their own time loops."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bitspike as snn
from bitspike import utils
from helpers.cases import CASES
from helpers.compare import first
from helpers.exact import exact

STEPS, BATCH = 10, 3


class Looped(nn.Module):
    """A loop over time with explicit states, two recordings, and spikes that come back."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(20, 12), snn.Leaky(beta=0.9, reset_mechanism="zero")
        self.back, self.fc2 = nn.Linear(12, 12, bias=False), nn.Linear(12, 4)
        self.lif2 = snn.Synaptic(alpha=0.8, beta=0.9)

    def forward(self, x):
        mem1 = self.lif1.reset_mem()
        syn2, mem2 = self.lif2.reset_mem()
        spk1 = torch.zeros(x.shape[1], 12)
        spikes, membranes = [], []
        for step in x:
            spk1, mem1 = self.lif1(self.fc1(step) + self.back(spk1), mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)


class Static(nn.Module):
    """One image at all steps, a recurrent layer, a loop that counts."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(20, 12), snn.Leaky(beta=0.9)
        self.lif2 = snn.RLeaky(beta=0.9, linear_features=12)

    def forward(self, x):
        mem1 = self.lif1.init_leaky()
        spk2, mem2 = self.lif2.init_rleaky()
        current = self.fc1(x.flatten(1))
        spikes = []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(current, mem1)
            spk2, mem2 = self.lif2(spk1, spk2, mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


class Tutorial(nn.Module):
    """Maxima of currents, as in snnTorch's tutorials, and a delay."""

    def __init__(self):
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(1, 3, 3), snn.Leaky(beta=0.5)
        self.delay = snn.SynapticDelay(max_delay=3, delay=2.0)
        self.fc, self.lif2 = nn.Linear(27, 5), snn.Leaky(beta=0.5)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        self.delay.reset_delay()
        spikes = []
        for t in range(STEPS):
            spk1, mem1 = self.lif1(F.max_pool2d(self.conv(x[t]), 2), mem1)
            spk2, mem2 = self.lif2(self.fc(self.delay(spk1).view(BATCH, -1)), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 2, 2, padding=1, bias=False),
        snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8, 3),
        snn.LI(beta=0.9, init_hidden=True),
    )


def spikes(*shape):
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(STEPS, BATCH, *shape, generator=generator) < 0.3).float()


def of_steps(stream, x):
    """What a stream returns at all steps."""
    results = [stream(step) for step in x]
    if isinstance(results[0], tuple):
        return [torch.stack(parts) for parts in zip(*results, strict=True)]
    return torch.stack(results)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.isa
def test_the_steps_of_a_loop_are_the_loop():
    net, x = exact(Looped()), spikes(20)
    with torch.no_grad():
        expected = net(x)
    found = of_steps(snn.stream(net, x, BATCH), x)
    assert expected[0].sum() > 0
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


@pytest.mark.isa
def test_maxima_of_currents_and_delays():
    net, x = exact(Tutorial()), spikes(1, 8, 8)
    with torch.no_grad():
        expected = net(x)
    assert expected.sum() > 0
    assert torch.equal(of_steps(snn.stream(net, x, BATCH), x), expected)


@pytest.mark.isa
def test_an_input_of_all_steps_enters_each():
    net, x = exact(Static()), spikes(20)[0]
    with torch.no_grad():
        expected = net(x)
    stream = snn.stream(net, x, BATCH)
    assert expected.sum() > 0
    assert torch.equal(of_steps(stream, [x] * STEPS), expected)


@pytest.mark.isa
def test_convolutions_and_pools_with_kept_states():
    net, x = exact(convolutional()), spikes(1, 8, 8)
    stream = snn.stream(net, x[0], BATCH)
    utils.reset(net)
    with torch.no_grad():
        expected = torch.stack([net(step) for step in x])
    assert torch.equal(of_steps(stream, x), expected)
    assert stream.read("4.mem").shape == (BATCH, 2, 4, 4)


def test_neurons_that_take_whole_sequences():
    net = exact(
        nn.Sequential(nn.Linear(20, 8), snn.Leaky(beta=0.9, init_hidden=True, multi_step=True))
    )
    x = spikes(20)
    stream = snn.stream(net, x, BATCH)
    utils.reset(net)
    with torch.no_grad():
        expected = net(x)
    assert torch.equal(of_steps(stream, x), expected.dense())


class Padded(nn.Module):
    """Pools with borders, a normalisation that is folded, graded spikes."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.largest = nn.MaxPool2d(3, stride=2, padding=1)
        self.lif1 = snn.Leaky(beta=0.5, init_hidden=True)
        self.any, self.mean = nn.MaxPool2d(2, padding=1), nn.AvgPool2d(2, stride=1, padding=1)
        self.graded, self.drop = snn.GradedSpikes(3), snn.TimeDropout(0.5)
        self.fc, self.norm2 = nn.Linear(36, 5), nn.BatchNorm1d(5)
        self.lif2 = snn.Leaky(beta=0.5, init_hidden=True)
        with torch.no_grad():
            for norm in (self.norm, self.norm2):
                norm.running_mean.copy_(torch.linspace(-0.5, 0.25, len(norm.running_mean)))
                norm.running_var.fill_(4 - 1e-5)  # the square root of which, with eps, is 2
            self.norm.weight.copy_(torch.tensor([1.0, 2.0, -1.0, 4.0]))
            self.norm2.bias.copy_(torch.linspace(0.5, 2.5, 5))
            self.graded.weights.copy_(torch.tensor([[0.5], [1.0], [2.0]]))

    def forward(self, x):
        x = self.lif1(self.largest(self.norm(self.conv(x))))
        x = self.drop(self.graded(self.mean(self.any(x))))
        return self.lif2(self.norm2(self.fc(x.flatten(1))))


def test_borders_of_pools_and_normalisations():
    net, x = exact(Padded()), spikes(1, 8, 8)
    stream = snn.stream(net, x[0], BATCH)
    utils.reset(net)
    with torch.no_grad():
        expected = torch.stack([net(step) for step in x])
    assert expected.sum() > 0
    assert torch.equal(of_steps(stream, x), expected)
    torch.testing.assert_close(stream.read("lif2.mem"), net.lif2.mem, rtol=1e-6, atol=1e-6)


def test_normalisations_that_cannot_be_folded_are_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.norm = nn.Linear(3, 3), nn.BatchNorm1d(3)

        def forward(self, x):
            x = self.fc(x)
            return x + self.norm(x)

    x = torch.ones(2, 3)
    for net, match in (
        (Twice().eval(), "norm follows no linear layer or convolution of its own"),
        (nn.Sequential(nn.BatchNorm1d(3)).eval(), "0 follows no linear layer"),
        (Twice(), r"takes its statistics from the batch; call eval\(\)"),
        (nn.Sequential(nn.AvgPool1d(2, padding=1, count_include_pad=False)), "has no op"),
    ):
        sample = x if "op" not in match else torch.ones(2, 3, 4)
        with pytest.raises(snn.graph.GraphError, match=match):
            snn.stream(net, sample)


LEAKY = {
    "immediate": lambda: snn.Leaky(beta=0.9, reset_delay=False, init_hidden=True),
    "graded": lambda: snn.Leaky(
        beta=0.9, graded_spikes_factor=torch.tensor([0.5, 2.0, 3.0]), init_hidden=True
    ),
    "fire first": lambda: snn.Synaptic(
        alpha=0.5, beta=0.9, order="fire_first", graded_spikes_factor=2.0, init_hidden=True
    ),
    "IF": lambda: snn.IF(init_hidden=True),
}


def expect_the_states_of(neuron, x):
    """A stream of a neuron has its spikes and its states."""
    stream = snn.stream(neuron, x[0], BATCH)
    neuron.reset_mem()
    with torch.no_grad():
        expected = torch.stack([first(neuron(step)) for step in x])
    assert torch.equal(torch.stack([first(stream(step)) for step in x]), expected)
    for state in neuron.STATES:
        assert torch.equal(stream.read(f"{type(neuron).__name__}.{state}"), getattr(neuron, state))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_neurons_are_those_of_the_package(case):
    neuron = case.kind(**case.arguments(3), init_hidden=True)
    expect_the_states_of(neuron, case.inputs(40, BATCH, 3)[0])


@pytest.mark.parametrize("name", LEAKY)
def test_switches_are_those_of_the_package(name):
    x = torch.rand(40, BATCH, 3, generator=torch.Generator().manual_seed(2)) * 3
    expect_the_states_of(LEAKY[name](), x)


def test_indices_bits_and_floats_are_the_same_input():
    net, x = exact(Looped()), spikes(20)
    streams = [snn.stream(net, x, BATCH) for _ in range(4)]
    for step in x:
        indices = step.flatten().nonzero()[:, 0]
        forms = (step, snn.SpikeTensor.from_dense(step), indices, indices.int())
        results = [stream(form) for stream, form in zip(streams, forms, strict=True)]
        for other in results[1:]:
            assert torch.equal(other[0], results[0][0])
            assert torch.equal(other[1], results[0][1])


def test_a_state_is_saved_restored_and_reset():
    net, x = exact(Looped()), spikes(20)
    stream = snn.stream(net, x, BATCH)
    first = stream(x[0])[1]
    saved = stream.state_dict()
    expected = [stream(step)[1] for step in x[1:]]
    other = snn.stream(net, x, BATCH)
    other.load_state_dict(saved)
    assert all(torch.equal(other(step)[1], y) for step, y in zip(x[1:], expected, strict=True))
    assert stream.steps == STEPS
    stream.reset()
    assert stream.steps == 0
    assert torch.equal(stream(x[0])[1], first)
    with pytest.raises(ValueError, match="3 samples|1 samples"):
        snn.stream(net, x, 1).load_state_dict(saved)


def test_counts_and_decisions_are_those_of_recordings():
    net, x = exact(Looped()), spikes(20)
    with torch.no_grad():
        recorded, _ = net(x)
    stream = snn.stream(net, x, BATCH)
    of_steps(stream, x)
    assert torch.equal(stream.counts(), recorded.sum(0))
    for margin in (None, 2.0):
        stream.reset()
        decided, expected = stream.decide(x, margin), snn.decode.early_exit(recorded, margin)
        assert torch.equal(decided.prediction, expected.prediction)
        assert torch.equal(decided.step, expected.step)
    with pytest.raises(ValueError, match="no steps"):
        stream.decide([])


def test_what_cannot_run_without_torch_is_refused_by_name():
    x = torch.ones(2, 3)
    for net, match in (
        (snn.Leaky(beta=0.9, inhibition=snn.KWTA(1), init_hidden=True), "inhibition"),
        (snn.Leaky(beta=0.9, fire_at="ge", init_hidden=True), "fire_at"),
        (nn.Sequential(nn.Dropout(0.5), snn.Leaky(beta=0.9, init_hidden=True)), "eval"),
        (nn.Sequential(nn.LSTM(3, 3)), "LSTM"),
        (lambda x: torch.sin(x), "sin"),
        (lambda x: 1.0, "returns nothing"),
    ):
        with pytest.raises(snn.graph.GraphError, match=match):
            snn.stream(net, x)
    with pytest.raises(TypeError, match="sample"):
        snn.stream(snn.Leaky(beta=0.9))
    with pytest.raises(KeyError, match="nothing"):
        snn.stream(snn.Leaky(beta=0.9, init_hidden=True), x, names=["nothing"])
