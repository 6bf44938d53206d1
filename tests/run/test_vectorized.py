"""What `vectorize` returns, as a module: its parameters, copies of it, modes that it runs in."""

import copy
import io

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import functional as SF
from bitspike import spikegen
from bitspike.graph import GraphError
from helpers.looped.net import Net


def test_parameters_and_mode_are_the_modules_own():
    net = Net()
    fast = snn.vectorize(net)
    assert list(fast.state_dict()) == list(net.state_dict())
    assert {"gain", "fc.weight", "lif.beta"} < set(fast.state_dict())
    assert [id(p) for p in fast.parameters()] == [id(p) for p in net.parameters()]
    assert fast.net is net
    assert fast.fc is net.fc
    fast.eval()
    assert not net.training
    assert not fast.training
    fast.steps = 2
    assert net.steps == 2
    fast.double()
    assert net.fc.weight.dtype == torch.float64
    assert net.gain.dtype == torch.float64
    fast.load_state_dict({**net.state_dict(), "gain": torch.tensor(3.0)})
    assert net.gain == 3
    fast.zero_grad()
    with pytest.raises(AttributeError, match="nothing"):
        _ = fast.nothing


def test_what_a_module_says_about_its_state_holds():
    neuron = snn.Leaky(beta=0.5, init_hidden=True)
    fast = snn.vectorize(neuron)
    fast(torch.ones(2))
    fast.double()
    assert neuron.mem.dtype == torch.float64
    saved = snn.Leaky(beta=0.75, reset_mechanism="zero").state_dict()
    with pytest.warns(UserWarning, match="replaces 'subtract'"):
        fast.load_state_dict(saved)
    assert neuron.reset_mechanism == "zero"


def test_weights_that_an_optimiser_changes():
    net = Net().eval()
    fast, x = snn.vectorize(net), (torch.rand(5, 2, 3) < 0.5).float()
    optimiser = torch.optim.SGD(fast.parameters(), lr=0.5)
    for _ in range(3):
        optimiser.zero_grad()
        fast(x).sum().backward()
        optimiser.step()
        assert torch.equal(fast(x) * 1, net(x) * 1)


def test_copied_and_pickled():
    fast = snn.vectorize(Net().eval())
    x = torch.rand(5, 2, 3)
    expected = fast(x) * 1
    file = io.BytesIO()
    torch.save(fast, file)
    file.seek(0)
    for twin in (copy.deepcopy(fast), torch.load(file, weights_only=False)):
        assert twin.fc is not fast.fc
        assert torch.equal(twin(x) * 1, expected)
        assert list(twin.state_dict()) == list(fast.state_dict())


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("train", [True, False])
def test_compiled(train):
    net = Net().train(train)
    net.drop.p = 0.0
    fast, x = snn.vectorize(net), (torch.rand(5, 2, 3) < 0.5).float()

    def program(x):
        return fast(x + 0.0).sum(0) * 2.0

    compiled = torch.compile(program, backend="aot_eager")
    for _ in range(2):
        expected = torch.autograd.grad(program(x).square().sum(), list(net.parameters()))
        found = torch.autograd.grad(compiled(x).square().sum(), list(net.parameters()))
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b)
        torch.testing.assert_close(torch.compile(fast, backend="aot_eager")(x) * 1, fast(x) * 1)


def test_checkpointed():
    net = Net()
    fast, x = snn.vectorize(net), torch.rand(5, 2, 3)
    torch.manual_seed(2)
    expected = torch.autograd.grad(fast(x).sum(), list(net.parameters()))
    torch.manual_seed(2)
    again = torch.utils.checkpoint.checkpoint(fast, x, use_reentrant=False)
    for a, b in zip(
        torch.autograd.grad(again.sum(), list(net.parameters())), expected, strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("packed", [True, False])
def test_encoders_and_losses_are_single_calls(packed):
    net = Net().eval()
    labels, values = torch.tensor([0, 3]), torch.rand(2, 3)
    count, sparse = SF.mse_count_loss(), SF.reg.l1_rate_sparsity(0.5)

    def program(values):
        spikes = net(spikegen.rate(values, num_steps=7, packed=packed))
        return count(spikes, labels) + sparse(spikes), torch.rand(1)

    fast = snn.vectorize(program)
    for _ in range(2):
        torch.manual_seed(1)
        ours = fast(values)
        torch.manual_seed(1)
        theirs = program(values)
        torch.testing.assert_close(ours, theirs)
        grads = [torch.autograd.grad(loss, net.fc.weight)[0] for loss, _ in (ours, theirs)]
        torch.testing.assert_close(*grads)
    names = [node.name for node in snn.graph.capture(program, values).nodes]
    assert {"rate", "mse_count_loss", "l1_rate_sparsity"} < set(names)


def test_one_inside_of_another():
    inner = snn.vectorize(Net().eval())
    outer = nn.Sequential(inner, nn.Linear(4, 2), snn.Leaky(0.5, init_hidden=True))
    fast, x = snn.vectorize(outer), torch.rand(5, 2, 3)
    ours = fast(x) * 1
    snn.utils.reset(outer)
    assert torch.equal(ours, outer(x) * 1)


def test_the_loop_itself_runs_where_something_looks_on():
    net = Net().eval()
    fast, x = snn.vectorize(net), torch.rand(5, 2, 3)
    mapped = torch.vmap(lambda x: fast(x), in_dims=1, out_dims=1)(x)
    assert torch.equal(mapped, net(x) * 1)


def test_inference_mode():
    net = Net().eval()
    fast, x = snn.vectorize(net), torch.rand(5, 2, 3)
    with torch.inference_mode():
        inside = fast(x) * 1
    assert torch.equal(inside.clone(), net(x) * 1)
    fast(x).sum().backward()


def test_autocast():
    net = Net().eval()
    fast, x = snn.vectorize(net), torch.rand(5, 2, 3)
    fast(x)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = fast(x), net(x)
    assert ours.dtype == theirs.dtype
    assert torch.equal(ours * 1, theirs * 1)


@pytest.mark.parametrize("steps", [1, 2])
def test_hardly_any_steps(steps):
    net = Net().eval()
    x = torch.rand(steps, 2, 3)
    assert torch.equal(snn.vectorize(net)(x) * 1, net(x) * 1)


def test_packed_input():
    net = Net().eval()
    fast = snn.vectorize(net)
    x = (torch.rand(5, 2, 3) < 0.5).float()
    spikes = snn.SpikeTensor.from_dense(x)
    assert torch.equal(fast(spikes) * 1, net(x) * 1)
    assert isinstance(fast(spikes), snn.SpikeTensor)


def test_refusals_name_line_and_reason():
    class Stops(Net):
        def forward(self, x):
            mem = self.lif.init_leaky()
            for x_t in x:
                spk, mem = self.lif(x_t, mem)
                if spk.sum() > 3:
                    break
            return mem

    line = Stops.forward.__code__.co_firstlineno + 4
    with pytest.raises(GraphError, match=f"test_vectorized.py:{line}, in forward: the numbers"):
        snn.vectorize(Stops())(torch.rand(5, 2, 3))


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="net must be a module or a function, not int"):
        snn.vectorize(3)
