"""Every neuron in a loop over time, all steps at once."""

import copy

import pytest
import torch
from torch import nn

import bitspike as snn
from helpers.cases import CASES
from helpers.compare import error

N = 9


class Passed(nn.Module):
    """States go in and out."""

    def __init__(self, neuron):
        super().__init__()
        self.neuron = neuron

    def forward(self, x, *states):
        spikes, recorded = [], []
        pair = isinstance(self.neuron, snn.DeltaLeaky)
        for x_t in x:
            result = self.neuron(x_t, states) if pair else self.neuron(x_t, *states)
            states = result[1] if pair else result[1:]
            spikes.append(result[0])
            recorded.append(states[0])
        return torch.stack(spikes), torch.stack(recorded), *states


class Kept(nn.Module):
    """The neuron keeps its states."""

    def __init__(self, neuron):
        super().__init__()
        self.neuron = neuron
        neuron.init_hidden = True

    def forward(self, x, *states):
        snn.utils.reset(self)
        spikes = [self.neuron(x_t) for x_t in x]
        return torch.stack([x[0] if isinstance(x, tuple) else x for x in spikes])


@pytest.mark.parametrize("kind", [Passed, Kept])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_all_neurons(case, kind):
    torch.manual_seed(8)
    net = kind(case.neuron(N, *case.resets()[0], multi_step=False))
    x, states = case.inputs(12, 5, N)
    twin = copy.deepcopy(net)
    fast = snn.vectorize(net)
    outcomes = []
    for run, own in ((fast, net), (twin, twin)):
        inputs = [x.clone().requires_grad_(), *(s.clone().requires_grad_() for s in states)]
        results = run(*inputs)
        results = results if isinstance(results, tuple) else (results,)
        sum(r.sum() for r in results).backward()
        grads = [p.grad for p in (*inputs, *own.parameters()) if p.grad is not None]
        kept = [getattr(own.neuron, name) for name in own.neuron.STATES]
        outcomes.append(([r * 1 for r in results], grads, kept))
    for a, b in zip(outcomes[0][0], outcomes[1][0], strict=True):
        assert torch.equal(a, b)
    assert len(outcomes[0][1]) == len(outcomes[1][1])
    for a, b in zip(outcomes[0][1], outcomes[1][1], strict=True):
        assert error(a, b) < 1e-4
    for a, b in zip(outcomes[0][2], outcomes[1][2], strict=True):
        assert torch.equal(a * 1, b * 1)
    assert fast.apart == {}


def test_membranes_without_spikes():
    neuron = snn.LI(beta=0.75)

    def program(x):
        mem = neuron.reset_mem()
        recorded = []
        for x_t in x:
            mem = neuron(x_t, mem)
            recorded.append(mem)
        return torch.stack(recorded)

    x, fast = torch.rand(6, 5, N), snn.vectorize(program)
    assert torch.equal(fast(x), program(x))
    assert fast.apart == {}


def test_states_that_nobody_passes():
    """Most neurons go on from where they were; DeltaLeaky starts at rest."""
    x = torch.rand(6, 5, N)
    for neuron in (snn.Leaky(0.75), snn.DeltaLeaky(0.5, 0.75), snn.Synaptic(0.5, 0.75)):

        def program(x, neuron=neuron):
            return torch.stack([neuron(x_t)[0] for x_t in x])

        twin, fast = copy.deepcopy(neuron), snn.vectorize(program)
        for _ in range(2):
            assert torch.equal(fast(x) * 1, program(x, twin) * 1)


def test_maps_and_pools_of_gates():
    neuron = snn.SConv2dLSTM(2, 3, 3, max_pool=2, threshold=0.05)

    def program(x):
        syn, mem = neuron.init_sconv2dlstm()
        recorded = []
        for x_t in x:
            spk, syn, mem = neuron(x_t, syn, mem)
            recorded.append(spk)
        return torch.stack(recorded), syn

    x, fast = torch.rand(4, 2, 2, 6, 6), snn.vectorize(program)
    for a, b in zip(fast(x), program(x), strict=True):
        assert torch.equal(a * 1, b * 1)
    assert fast.apart == {}


class Spike(torch.autograd.Function):
    """A surrogate gradient that a user wrote."""

    @staticmethod
    def forward(ctx, level):
        ctx.save_for_backward(level)
        return (level > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (level,) = ctx.saved_tensors
        return grad / (1 + level.abs()) ** 2


def test_a_neuron_that_a_user_wrote():
    layer, lif = nn.Linear(N, N), snn.Leaky(0.5, init_hidden=True)

    def program(x):
        snn.utils.reset(lif)
        mem = torch.zeros(5, N)
        recorded = []
        for x_t in x:
            mem = 0.75 * mem + layer(x_t)
            spk = Spike.apply(mem - 1)
            mem = mem - spk
            recorded.append(lif(spk * 2))
        return torch.stack(recorded), mem

    x = torch.randint(0, 9, (6, 5, N)) / 2
    with torch.no_grad():
        layer.weight.copy_((layer.weight * 32).round() / 32)
        layer.bias.zero_()
    fast = snn.vectorize(program)
    ours, theirs = fast(x), program(x)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a * 1, b * 1)
    grads = [torch.autograd.grad(r[0].sum() + r[1].sum(), layer.weight)[0] for r in (ours, theirs)]
    assert grads[0].any()
    assert error(*grads) < 1e-5
    assert set(fast.apart) == {"mul", "add", "sub", "Spike"}


def test_a_generator_of_its_own():
    def program(x, generator):
        return torch.stack([x_t + torch.rand(3, generator=generator) for x_t in x])

    one, two = (torch.Generator().manual_seed(4) for _ in range(2))
    x, fast = torch.zeros(5, 3), snn.vectorize(program)
    for _ in range(2):
        assert torch.equal(fast(x, one), program(x, two))


def test_a_state_that_is_set_is_refused():
    lif = snn.Leaky(0.5, init_hidden=True)

    def program(x):
        lif.mem = torch.zeros(3)
        return lif(x)

    with pytest.raises(snn.graph.GraphError, match="a state of lif is set by assignment"):
        snn.vectorize(program)(torch.rand(3))
