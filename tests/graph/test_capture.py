"""Programs as graphs: what is recorded, what is put back, what is refused."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from bitspike.graph import Attribute, GraphError, capture


class Steps(nn.Module):
    """A network as snnTorch's tutorials write it."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.lif = snn.Leaky(beta=0.5)

    def forward(self, x):
        mem = self.lif.init_leaky()
        spikes = []
        for t in range(x.size(0)):
            spk, mem = self.lif(self.fc(x[t]), mem)
            spikes.append(spk)
        return torch.stack(spikes), mem


def test_a_graph_is_printed_with_its_loop_folded():
    assert str(capture(Steps(), torch.rand(5, 4, 3))) == (
        "Steps(x [5, 4, 3]):\n"
        "  lif.reset_mem [0] = lif.reset_mem()\n"
        "  for t in range(5):\n"
        "    getitem [4, 3] = x[t]\n"
        "    fc [4, 2] = Linear(getitem)\n"
        "    lif [4, 2], lif.mem [4, 2] = Leaky(fc, lif.mem[t-1] or lif.reset_mem)\n"
        "  stack [5, 4, 2] = stack(lif[:])\n"
        "  return (stack, lif.mem[4])"
    )


def test_lines_are_those_of_the_program():
    graph = capture(Steps(), torch.rand(5, 4, 3))
    line = Steps.forward.__code__.co_firstlineno
    assert graph.nodes[2].line == f"test_capture.py:{line + 4}, in forward"


def test_a_single_step_tells_which_states_are_passed_and_which_kept():
    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.own, self.kept = snn.Leaky(0.5), snn.Synaptic(0.5, 0.5, init_hidden=True)

        def forward(self, x, mem):
            spk, mem = self.own(x, mem)
            return self.kept(spk), mem

    net = Step()
    graph = capture(net, torch.rand(4, 3), torch.zeros(4, 3))
    own, kept = graph.nodes
    assert own.given == (graph.inputs[1],)
    assert kept.given == (None, None)
    assert [state.shape for state in kept.states] == [(4, 3)] * 2
    assert graph.result == (kept.outputs[0], own.states[0])
    assert own.stateful is net.own


def test_parameters_are_read_anew():
    layer = nn.Linear(3, 2)
    graph = capture(lambda x: F.linear(x, layer.weight), torch.rand(4, 3))
    _, weight = graph.nodes[0].args
    assert isinstance(weight, Attribute)
    assert weight.name == "layer.weight"
    assert weight.read() is layer.weight


def test_states_buffers_and_random_numbers_are_put_back():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.drop = nn.BatchNorm1d(3), nn.Dropout()
            self.lif = snn.Leaky(0.5, init_hidden=True)

        def forward(self, x):
            return self.lif(self.drop(self.norm(x)))

    net, x = Net(), torch.rand(4, 3)
    net(x)
    mem = net.lif.mem
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    state = torch.get_rng_state()
    graph = capture(net, x)
    assert net.lif.mem is mem
    assert torch.equal(torch.get_rng_state(), state)
    for name, buffer in net.named_buffers():
        assert torch.equal(buffer, before[name])
    norm, drop, lif = graph.nodes
    assert [norm.writes, drop.writes, lif.writes] == [True, False, False]
    assert [norm.draws, drop.draws, lif.draws] == [False, True, False]


def test_an_attribute_that_the_program_leaves_is_noted():
    class Net(nn.Module):
        def forward(self, x):
            self.last = x * 2
            return x

    net = Net()
    graph = capture(net, torch.ones(3))
    assert graph.sets == [(net, "last", graph.nodes[0].result)]
    assert not hasattr(net, "last")


def test_an_operation_in_place_makes_a_new_value():
    def program(x):
        total = torch.zeros(3)
        total += x
        total[0] = 5.0
        return total

    graph = capture(program, torch.ones(3))
    assert [node.name for node in graph.nodes] == ["zeros", "add", "setitem"]
    assert graph.result is graph.nodes[2].result
    assert graph.nodes[2].args[0] is graph.nodes[1].result


one, two = snn.Leaky(0.5), snn.Leaky(0.5)


def decides(x):
    return x if x.sum() > 0 else -x


def reads(x):
    return x * x.max().item()


def foreign_state(x):
    _, mem = one(x)
    return two(x, mem)


def writes_state(x):
    spk, mem = one(x)
    mem *= 0.5
    return spk, mem


def writes_input(x):
    x += 1
    return x


def writes_below_a_view(x):
    y = x * 2
    row = y[0]
    y += 1
    return row


def writes_inside(x):
    y = x * 2
    return F.relu(y, inplace=True)


def chooses(x):
    return x[x > 0.5]


def converts(x):
    return x + torch.from_numpy(x.new_ones(3).numpy())


def goes_back(x):
    x.sum().backward()
    return x


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (decides, "the numbers of a tensor decide what the program does (bool)"),
        (reads, "the numbers of a tensor decide what the program does (item)"),
        (foreign_state, "two is called with mem of one; a neuron continues its own state"),
        (writes_state, "mul_ writes into what one returned, which it may keep as its state"),
        (writes_input, "add_ writes into a tensor that the program did not make"),
        (writes_below_a_view, "add_ writes into a tensor of which there are views"),
        (writes_inside, "relu writes into its input"),
        (chooses, "the shape of what getitem returns depends on the numbers"),
        (converts, "the numbers of a tensor decide what the program does (numpy)"),
        (goes_back, "backward belongs behind the captured program"),
    ],
)
def test_what_a_graph_cannot_say_is_refused_with_line_and_reason(program, reason):
    first = program.__code__.co_firstlineno
    with pytest.raises(GraphError) as caught:
        capture(program, torch.rand(4, 3))
    assert reason in caught.value.reason
    file, _, number = caught.value.line.partition(", in ")[0].partition(":")
    assert file == "test_capture.py"
    assert first < int(number) <= first + 5


def test_hooks_of_what_is_no_call_are_refused():
    class Inner(nn.Module):
        def forward(self, x):
            return x * 2

    net = nn.Sequential(Inner())
    net[0].register_forward_hook(lambda *_: None)
    with pytest.raises(GraphError, match="0, Inner, has hooks"):
        capture(net, torch.ones(3))


def test_a_counter_is_refused():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x

    net = Net()
    with pytest.raises(GraphError, match="Net.calls is set to what is no tensor"):
        capture(net, torch.ones(3))
    assert net.calls == 0


def test_a_tensor_of_unknown_origin_is_refused():
    def program(x):
        return x * snn.SpikeTensor.from_dense(torch.ones(4, 3))

    with pytest.raises(GraphError, match=r"a tensor of shape \(4, 3\) was made in a way"):
        capture(program, torch.ones(4, 3))


def test_other_threads_are_not_recorded():
    import threading

    other = nn.Linear(2, 2)

    class Net(nn.Module):
        def forward(self, x):
            thread = threading.Thread(target=lambda: other(torch.ones(1, 2)))
            thread.start()
            thread.join()
            return x * 2

    assert [node.name for node in capture(Net(), torch.ones(3)).nodes] == ["mul"]
