"""That looking at a network leaves no trace in it, and which networks can be looked at."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import spikegen

T, B, K, N = 12, 5, 20, 30


def lif(**kwargs):
    return snn.Leaky(**{"beta": 0.9, "init_hidden": True, **kwargs})


def network():
    return nn.Sequential(nn.Linear(K, N), lif(), nn.Linear(N, 6), lif())


def spikes():
    return spikegen.rate(torch.full((B, K), 0.4), T, packed=True)


# Nothing changes


class Probe(nn.Module):
    """Keeps what it saw in an attribute, and counts in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.last = None

    def forward(self, x):
        self.last = x
        self.count += 1
        return x


@pytest.mark.parametrize("function", [snn.diagnose, snn.energy], ids=["diagnose", "energy"])
@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_nothing_changes(function, fails):
    net = nn.Sequential(
        nn.Linear(K, N), nn.BatchNorm1d(N), Probe(), snn.TimeDropout(0.3), lif(), nn.Dropout(),
        snn.SynapticDelay(3, 1.0), nn.Linear(N, 6), lif(learn_beta=True),
    )  # fmt: skip
    x = spikes()
    snn.unroll(net, x).sum().backward()
    net[0].eval()
    states = [net[i].__dict__ for i in (3, 4, 6, 8)]
    hidden = [(owner, name, owner[name]) for owner in states for name in ("mem", "mask", "history")
              if name in owner]  # fmt: skip
    buffers = {name: (b, b.clone()) for name, b in net.named_buffers()}
    grads = [(p, p.grad, p.grad.clone()) for p in net.parameters()]
    attributes = [(module, dict(vars(module))) for module in net.modules()]
    random = torch.get_rng_state()
    if fails:
        with pytest.raises(RuntimeError, match="stop"):
            function(net, x, run=lambda net, x: (snn.unroll(net, x), _raise()))
    else:
        function(net, x)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(owner[name] is state for owner, name, state in hidden) and len(hidden) == 4
    assert all(b is buffers[name][0] for name, b in net.named_buffers())
    assert all(torch.equal(b, copy) for b, copy in buffers.values())
    assert all(p.grad is grad and torch.equal(grad, copy) for p, grad, copy in grads)
    for module, before in attributes:
        assert vars(module).keys() == before.keys()
        assert all(vars(module)[name] is value for name, value in before.items())
    assert [m.training for m in net.modules()].count(False) == 1


def _raise():
    raise RuntimeError("stop")


def test_it_starts_from_rest_each_time():
    net, x = network(), spikes()
    first = [row.firing_rate for row in snn.diagnose(net, x)]
    snn.unroll(net, 9 * x)
    assert [row.firing_rate for row in snn.diagnose(net, x)] == first
    snn.utils.reset(net)
    assert snn.unroll(net, x).mean().item() == pytest.approx(first[-1])


def test_hooks_and_shadowed_methods_stay():
    net, calls = network(), []
    net[1].register_forward_hook(lambda *_: calls.append(1))
    shadow = net[2].forward = lambda x: 2 * nn.Linear.forward(net[2], x)
    snn.diagnose(net, spikes(), run=lambda net, x: torch.stack([net(step) for step in x]))
    assert len(calls) == T and net[2].forward is shadow


def test_parametrised_weights_are_seen():
    net = network()
    nn.utils.parametrizations.weight_norm(net[0])
    first, _ = snn.diagnose(net, spikes())
    assert first.gradient_norm > 0
    report = snn.energy(net, spikes())
    assert [row.name for row in report] == ["0", "2"] and not report.uncounted


# Errors


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"x must be a sequence \[T, B, \*\].*not \(3,\)"):
        snn.diagnose(network(), torch.ones(3))
    with pytest.raises(ValueError, match=r"not \(0, 5, 20\)"):
        snn.diagnose(network(), torch.ones(0, B, K))
    with pytest.raises(ValueError, match="loss must make one number"):
        snn.diagnose(network(), spikes(), loss=lambda out: out.sum(0))
    with pytest.raises(ValueError, match="neurons of bitspike, but Linear called none"):
        snn.diagnose(nn.Linear(K, N), spikes())

    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif = nn.Linear(K, N), lif()

        def forward(self, x):
            return self.lif(self.fc(x))

    with pytest.raises(ValueError, match="gave all 12 steps of x at once to lif"):
        snn.diagnose(Step(), spikes())
