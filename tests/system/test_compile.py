"""Networks under torch.compile and torch.export."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import SpikeTensor

# opcheck looks at gradients of tensors that are no leaves.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")

T, B, K, N = 7, 3, 20, 70


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def leaky(**kwargs):
    return snn.Leaky(**{"beta": 0.9, "init_hidden": True, "multi_step": True, **kwargs})


def network(*tail, **kwargs):
    net = nn.Sequential(nn.Linear(K, N), leaky(**kwargs), nn.Linear(N, 10), *tail)
    for p in net.parameters():
        if p.dim() == 2:
            p.data *= 5
    return net


def compiled(net, backend="aot_eager", **kwargs):
    return torch.compile(net, fullgraph=True, backend=backend, **kwargs)


def random(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def train(net, run, x):
    """Output and gradients of one training step."""
    net.zero_grad()
    snn.utils.reset(net)
    x = x.detach().requires_grad_() if x.is_floating_point() else x
    out = run(x)
    (out * torch.linspace(-1, 1, out.shape[-1], dtype=out.dtype)).sum().backward()
    return out, [x.grad, *(p.grad for p in net.parameters())]


def agree(net, x, tolerance=0.0, **kwargs):
    """Asserts that a compiled network does what it does eagerly; returns the compiled output."""
    expected, expected_gradients = train(net, net, x)
    out, gradients = train(net, compiled(net, **kwargs), x)
    assert (type(out) is SpikeTensor) == (type(expected) is SpikeTensor)
    if type(out) is SpikeTensor:
        assert torch.equal(out.words, expected.words)
        assert out.density() > 0
    else:
        torch.testing.assert_close(out, expected, rtol=tolerance, atol=tolerance)
    for got, wanted in zip(gradients, expected_gradients, strict=True):
        assert (got is None) == (wanted is None)
        if wanted is not None:
            assert type(got) is torch.Tensor and wanted.abs().max() > 0
            scale = wanted.abs().max().item()
            torch.testing.assert_close(got, wanted, rtol=0, atol=tolerance * scale)
    return out


def test_spikes_inside():
    assert type(agree(network(), torch.rand(T, B, K))) is torch.Tensor


def test_spikes_at_the_end():
    assert type(agree(network(leaky()), torch.rand(T, B, K))) is SpikeTensor


@pytest.mark.parametrize("tail", [(), (leaky(),)], ids=["currents", "spikes"])
def test_spikes_at_the_start(tail):
    agree(network(*tail), SpikeTensor.from_dense(random(T, B, K)))


def test_spikes_through_and_through():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(K, N), nn.Linear(N, 10)
            self.hidden, self.out = leaky(), leaky()

        def forward(self, x):
            hidden = self.hidden(self.first(x))
            return hidden, self.out(self.second(hidden))

    net = Both()
    net.first.weight.data *= 5
    net.second.weight.data *= 5
    x = torch.rand(T, B, K)
    results = []
    for run in (net, compiled(net)):
        net.zero_grad()
        snn.utils.reset(net)
        hidden, out = run(x)
        assert type(hidden) is type(out) is SpikeTensor
        (hidden.sum(0).square().mean() + out.mean(0).square().sum()).backward()
        results.append([hidden.dense(), out.dense(), *(p.grad for p in net.parameters())])
    for got, wanted in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("loss", ["sum over time", "mean", "product", "indexing", "cross entropy"])
def test_losses_of_spikes_at_the_end(loss):
    function = {
        "sum over time": lambda s: s.sum(0).square().sum(),
        "mean": lambda s: s.mean(),
        "product": lambda s: (s * 0.5).sum(),
        "indexing": lambda s: s[1].sum() + s[:, 0].exp().sum(),
        "cross entropy": lambda s: nn.functional.cross_entropy(s.sum(0), torch.arange(B)),
    }[loss]
    net, x = network(leaky()), torch.rand(T, B, K)
    gradients = []
    for run in (net, compiled(net)):
        net.zero_grad()
        snn.utils.reset(net)
        function(run(x)).backward()
        gradients.append([p.grad for p in net.parameters()])
    for got, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)


def test_inductor():
    out = agree(network(leaky()), SpikeTensor.from_dense(random(T, B, K)), 1e-5, backend="inductor")
    assert type(out) is SpikeTensor


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradient(mode):
    net, x = network(leaky()), torch.rand(T, B, K)
    with mode():
        expected = net(x)
        snn.utils.reset(net)
        assert torch.equal(compiled(net)(x).dense(), expected.dense())


def test_state_goes_on_from_call_to_call():
    net, x = network(leaky()), torch.rand(T, B, K)
    run = compiled(net)
    with torch.no_grad():
        whole = net(x)
        snn.utils.reset(net)
        parts = torch.cat([run(x[:3]), run(x[3:])])
    assert torch.equal(parts.dense(), whole.dense())


def test_dynamic_shapes():
    net = network(leaky())
    run = compiled(net, dynamic=True)
    for steps, batch in ((7, 3), (9, 4), (2, 8)):
        x = torch.rand(steps, batch, K)
        expected, expected_gradients = train(net, net, x)
        out, gradients = train(net, run, x)
        assert torch.equal(out.dense(), expected.dense())
        for got, wanted in zip(gradients, expected_gradients, strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)


def test_dynamic_spikes():
    net = network()
    run = compiled(net, dynamic=True)
    for steps, batch in ((7, 3), (9, 4)):
        x = SpikeTensor.from_dense(random(steps, batch, K))
        snn.utils.reset(net)
        expected = net(x)
        snn.utils.reset(net)
        assert torch.equal(run(x), expected)


class Loop(nn.Module):
    """A network written step by step."""

    def __init__(self):
        super().__init__()
        self.synapse, self.neuron = nn.Linear(K, N), snn.Leaky(beta=0.9)
        self.synapse.weight.data *= 5

    def forward(self, x):
        membrane = torch.zeros(x.shape[1], N)
        spikes = []
        for current in x.unbind(0):
            spike, membrane = self.neuron(self.synapse(current), membrane)
            spikes.append(spike)
        return torch.stack(spikes)


def test_a_loop_over_single_steps():
    agree(Loop(), torch.rand(T, B, K), 1e-6)


def test_a_loop_over_spikes():
    agree(Loop(), SpikeTensor.from_dense(random(T, B, K)), 1e-6)


def test_the_reference_path():
    net = network(leaky()).double()
    assert net[1].native_refusal(torch.zeros(1).double()) is not None
    out = agree(net, torch.rand(T, B, K, dtype=torch.float64), 1e-12)
    assert type(out) is torch.Tensor


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_graded_spikes(factor):
    net = network(leaky(graded_spikes_factor=factor), graded_spikes_factor=factor)
    out = agree(net, torch.rand(T, B, K), 1e-6)
    assert set(out.unique().tolist()) <= {0.0, factor}


@pytest.mark.parametrize("learned", ["learn_beta", "learn_threshold", "learn_graded_spikes_factor"])
def test_learned_constants(learned):
    agree(network(leaky(**{learned: True}), **{learned: True}), torch.rand(T, B, K), 1e-5)


def test_convolutions_see_spikes():
    net = nn.Sequential(nn.Conv2d(2, 4, 3), snn.Leaky(0.5, init_hidden=True), nn.Conv2d(4, 3, 3))
    net[0].weight.data *= 5
    agree(net, torch.rand(B, 2, 8, 8), 1e-5)


def test_export_consists_of_torch_operators():
    net, x = network(leaky()), torch.rand(T, B, K)
    expected = net(x)
    snn.utils.reset(net)
    with torch.no_grad():
        program = torch.export.export(net, (x,), strict=False)
    for node in program.graph.nodes:
        assert "bitspike" not in str(node.target)
    assert torch.equal(program.module()(x), expected.dense())


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: snn.Leaky(beta=0.9, init_hidden=True),
        lambda: snn.Synaptic(alpha=0.8, beta=0.9, init_hidden=True),
        lambda: snn.RLeaky(beta=0.9, linear_features=4, init_hidden=True),
        lambda: snn.SynapticDelay(max_delay=2, delay=1, step_mode=True),
    ],
    ids=["Leaky", "Synaptic", "RLeaky", "SynapticDelay"],
)
@pytest.mark.filterwarnings("ignore")
def test_exported_loops_keep_their_states(layer, strict):
    class Loop(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.layer = torch.nn.Linear(5, 4), layer()

        def forward(self, x):
            self.layer.reset_mem()
            return torch.stack([self.layer(self.fc(step)) * 1 for step in x.unbind(0)])

    net, (example, x) = Loop().eval(), (torch.rand(6, 2, 5) * 3, torch.rand(6, 2, 5) * 3)
    with torch.no_grad():
        wanted = net(x)
        for _ in range(2):  # what one export keeps is not seen by the next
            program = torch.export.export(net, (example,), strict=strict)
            assert torch.equal(program.module()(x), wanted)
        assert torch.equal(net(x), wanted)
