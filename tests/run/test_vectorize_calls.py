"""Calls of what `vectorize` returns: when a program is captured again, arguments and results."""

from typing import NamedTuple

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.graph.values import tensors_of
from bitspike.run.vectorize import wrapper
from helpers.looped.net import Net


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


def test_lists_of_numbers_and_tensors_that_appear(captures):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scales, self.last = [1.0, 2.0], None

        def forward(self, x):
            x = x if self.last is None else x + self.last
            self.last = x[-1]
            return torch.stack([x_t * scale for x_t in x for scale in self.scales])

    net, twin = Scaled(), Scaled()
    fast, x = snn.vectorize(net), torch.rand(4, 3)
    for _ in range(3):
        assert torch.equal(fast(x), twin(x))
    assert len(captures) == 2
    for changed in (net, twin):
        changed.scales.append(0.5)
    assert torch.equal(fast(x), twin(x))
    assert len(captures) == 3


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


def test_results_keep_their_structure():
    class Recorded(NamedTuple):
        first: torch.Tensor
        second: torch.Tensor

    lif = snn.Leaky(0.5)

    def program(x):
        mem = lif.reset_mem()
        spikes, membranes = [], [x.new_zeros(3)]
        for x_t in x:
            spk, mem = lif(x_t, mem)
            spikes.append(spk)
            membranes.append(mem)
        few = {"some": Recorded(spikes[1], spikes[2]), "number": 3, "none": None}
        return tuple(spikes), membranes, few

    ours, theirs = (run(torch.ones(4, 2, 3)) for run in (snn.vectorize(program), program))
    assert [type(x) for x in ours] == [tuple, list, dict]
    assert [x.shape for x in ours[1]] == [x.shape for x in theirs[1]]
    assert isinstance(ours[2]["some"], Recorded)
    assert ours[2]["number"] == 3
    assert ours[2]["none"] is None
    for a, b in zip(tensors_of(ours), tensors_of(theirs), strict=True):
        assert torch.equal(a * 1, b * 1)


def test_one_tensor_in_two_arguments_is_another_program():
    def program(x, y):
        return [a + b for a, b in zip(x, y, strict=True)]

    fast = snn.vectorize(program)
    x, y = torch.rand(4, 2), torch.rand(4, 2)
    torch.testing.assert_close(torch.stack(fast(x, x)), x + x)
    torch.testing.assert_close(torch.stack(fast(x, y)), x + y)
