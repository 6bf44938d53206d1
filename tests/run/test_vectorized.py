"""What `vectorize` returns: whose parameters it has, and when it captures again."""

import copy
import io

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.graph import GraphError
from bitspike.run.vectorize import wrapper


class Net(nn.Module):
    """A loop over the steps of its input, or over a number of steps."""

    def __init__(self, steps=None):
        super().__init__()
        self.steps = steps
        self.fc, self.drop = nn.Linear(3, 4), nn.Dropout()
        self.lif = snn.Leaky(beta=0.5)
        self.register_buffer("gain", torch.tensor(2.0))

    def forward(self, x):
        mem = self.lif.init_leaky()
        recorded = []
        for t in range(self.steps or len(x)):
            spk, mem = self.lif(self.drop(self.fc(x[t])) * self.gain, mem)
            recorded.append(spk)
        return torch.stack(recorded)


@pytest.fixture
def captures(monkeypatch):
    """The programs that were captured."""
    found = []
    original = wrapper.capture

    def counted(program, *args, **kwargs):
        found.append(program)
        return original(program, *args, **kwargs)

    monkeypatch.setattr(wrapper, "capture", counted)
    return found


def test_a_program_is_captured_once_for_each_kind_of_call(captures):
    fast = snn.vectorize(Net())
    for x in (torch.rand(5, 2, 3), torch.rand(5, 2, 3)):
        fast(x)
    assert len(captures) == 1
    fast(torch.rand(6, 2, 3))
    fast(torch.rand(5, 4, 3))
    fast.eval()(torch.rand(5, 2, 3))
    with torch.no_grad():
        fast(torch.rand(5, 2, 3))
    assert len(captures) == 5
    fast.train()(torch.rand(6, 2, 3))
    assert len(captures) == 5


def test_what_a_program_relied_upon_is_captured_again_if_it_changes(captures):
    net = Net(steps=3).eval()
    fast, x = snn.vectorize(net), torch.rand(5, 2, 3)
    assert len(fast(x)) == 3
    net.steps = 4
    assert len(fast(x)) == 4
    net.fc = nn.Linear(3, 6)
    assert fast(x).shape == (4, 2, 6)
    net.lif.init_hidden = True
    with pytest.raises(TypeError, match="mem must not be passed"):
        fast(x)
    net.lif.init_hidden = False
    handle = net.fc.register_forward_hook(lambda _, x, y: y * 0)
    assert not fast(x).any()
    assert fast.apart == {"fc": "it has hooks"}
    handle.remove()
    assert len(captures) == 5
    fast(x)
    assert len(captures) == 5


number_of_steps = 3


def test_global_variables_and_those_around_a_function(captures):
    global number_of_steps
    lif, around = snn.Leaky(0.5), 2

    def program(x):
        mem = lif.reset_mem()
        for t in range(number_of_steps * around):
            spk, mem = lif(x[t], mem)
        return mem

    fast, x = snn.vectorize(program), torch.rand(20, 2, 3)
    torch.testing.assert_close(fast(x), program(x))
    number_of_steps, around = 4, 3
    torch.testing.assert_close(fast(x), program(x))
    lif = snn.Leaky(0.75)
    torch.testing.assert_close(fast(x), program(x))
    assert len(captures) == 3
    number_of_steps = 3


def test_modules_and_numbers_are_arguments_of_functions():
    def program(net, x, steps, *, scale=1.0):
        mem = net.reset_mem()
        recorded = []
        for t in range(steps):
            spk, mem = net(x[t] * scale, mem)
            recorded.append(spk)
        return {"spikes": torch.stack(recorded), "mem": mem}

    fast = snn.vectorize(program)
    assert fast.__name__ == "program"
    x = torch.rand(6, 2, 3)
    for net, steps, scale in ((snn.Leaky(0.5), 3, 1.0), (snn.Leaky(0.75), 6, 2.0)):
        ours = fast(net, x, steps, scale=scale)
        for name, theirs in program(net, x, steps, scale=scale).items():
            assert torch.equal(ours[name] * 1, theirs * 1)
    with pytest.raises(TypeError, match="arguments must be tensors, or be hashable"):
        fast(snn.Leaky(0.5), x, 3, scale={1, 2})


def test_one_tensor_in_two_arguments_is_another_program():
    def program(x, y):
        return [a + b for a, b in zip(x, y, strict=True)]

    fast = snn.vectorize(program)
    x, y = torch.rand(4, 2), torch.rand(4, 2)
    torch.testing.assert_close(torch.stack(fast(x, x)), x + x)
    torch.testing.assert_close(torch.stack(fast(x, y)), x + y)


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
