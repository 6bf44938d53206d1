"""Graphs of NIR as networks: what they compute, by hand and by their equations."""

import nir
import numpy as np
import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.nir import NIRError, from_nir
from helpers.compare import dense
from helpers.nir_files import chain, numbers, write

ONE = torch.ones(6, 1, 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.nir"


def trace(net, x=ONE):
    with torch.no_grad():
        return dense(net(x))[:, 0, 0].tolist()


# Single nodes, traces computed by hand: dt = 1, tau = 2, so beta = 1/2 and r = 2 is a gain of 1


def test_a_hard_reset(path):
    chain(path, ("LIF", numbers(tau=2, r=2, v_leak=0, v_threshold=1.25, v_reset=0)))
    net = from_nir(path, dt=1)
    assert trace(net) == [0, 1, 0, 1, 0, 1]  # 1, 1.5, 1, 1.5
    assert type(net.n0) is snn.Leaky and net.n0.reset_mechanism == "zero"
    assert str(net.nir_report) == "n0: ok: Leaky"


def test_before_version_1_0_6_a_spike_subtracts_the_threshold(path):
    fields = numbers(tau=2, r=2, v_leak=0, v_threshold=0.625)
    x = torch.tensor([1.0, 0, 0, 0]).view(4, 1, 1)
    chain(path, ("LIF", fields), version="1.0.4")
    assert trace(from_nir(path, dt=1), 1.5 * x) == [1, 0, 0, 0]  # 1.5 - 0.625 = 0.875, 0.4375
    assert trace(from_nir(path, dt=1), 2 * x) == [1, 1, 0, 0]  # 2 - 0.625 = 1.375, 0.6875
    chain(path, ("LIF", fields), version="1.0.6")
    assert trace(from_nir(path, dt=1), 2 * x) == [1, 0, 0, 0]


def test_a_field_says_what_a_version_does_not(path):
    fields = numbers(tau=2, r=2, v_leak=0, v_threshold=0.625, v_reset=0)
    chain(path, ("LIF", fields), version="0.2")
    assert from_nir(path, dt=1).n0.reset_mechanism == "zero"


def test_rest_and_reset_potentials(path):
    chain(path, ("LIF", numbers(tau=2, r=2, v_leak=1, v_threshold=2.5, v_reset=-1)))
    # From rest at 1: 1 + 1 = 2, then 1 + 0.5 + 1 = 2.5, 2.75 fires, and then 1 - 1 + 1 = 1.
    net = from_nir(path, dt=1)
    assert trace(net) == [0, 0, 1, 0, 0, 0]  # and then 2, 2.5
    assert type(net.n0) is snn.RefractoryLeaky


def test_integrate_and_fire(path):
    chain(path, ("IF", numbers(r=2, v_threshold=1.5, v_reset=0)))
    net = from_nir(path, dt=0.5)
    assert trace(net) == [0, 1, 0, 1, 0, 1] and type(net.n0) is snn.IF


def test_a_leaky_integrator_with_a_rest(path):
    chain(path, ("LI", numbers(tau=2, r=2, v_leak=4)))
    assert trace(from_nir(path, dt=1), 0 * ONE)[:3] == [2.0, 3.0, 3.5]


def test_an_integrator(path):
    chain(path, ("I", numbers(r=4)))
    assert trace(from_nir(path, dt=0.25))[:3] == [1.0, 2.0, 3.0]


def test_a_synapse_in_front_of_a_neuron(path):
    fields = numbers(tau_syn=2, tau_mem=2, r=2, v_leak=0, w_in=2, v_threshold=0.9, v_reset=0)
    x = torch.tensor([1.0, 0, 0, 0]).view(4, 1, 1)
    chain(path, ("CubaLIF", fields))
    net = from_nir(path, dt=1)
    assert trace(net, x) == [1, 0, 0, 0] and type(net.n0) is snn.Synaptic
    fields |= numbers(w_in=1, r=3)  # gains of 0.5 and 1.5
    chain(path, ("CubaLIF", fields))
    net = from_nir(path, dt=1)
    assert type(net.n0) is snn.CuBaLIF and (net.n0.w_in, net.n0.r) == (0.5, 1.5)


def test_a_synapse_in_front_of_an_integrator(path):
    chain(path, ("CubaLI", numbers(tau_syn=2, tau_mem=2, r=4, v_leak=0, w_in=2)))
    x = torch.tensor([1.0, 0, 0]).view(3, 1, 1)
    # I = 1, 0.5, 0.25, twice that enters: v = 2, 1 + 1, 1 + 0.5
    assert trace(from_nir(path, dt=1), x) == [2.0, 2.0, 1.5]


def test_exact_steps(path):
    tau = 1 / np.log(2)  # a decay of 1/2 per step
    chain(path, ("LI", numbers(tau=tau, r=2, v_leak=0)))
    got = trace(from_nir(path, dt=1, discretization="exact"))
    assert np.allclose(got, [2 * (1 - 0.5**t) for t in range(1, 7)])
    chain(path, ("CubaLI", numbers(tau_syn=tau, tau_mem=2 * tau, r=3, v_leak=0, w_in=5)))
    x = torch.tensor([1.0, 0, 0, 0]).view(4, 1, 1)
    got = trace(from_nir(path, dt=1, discretization="exact"), x)
    t = np.arange(1, 5)  # the difference of two exponentials, after a pulse at the step's start
    assert np.allclose(got, 3 * 5 / tau * (0.5 ** (t / 2) - 0.5**t))


def test_delays_are_whole_steps(path):
    chain(path, ("Delay", {"delay": np.array([0.002])}))
    x = torch.arange(1.0, 6.0).view(5, 1, 1)
    assert trace(from_nir(path, dt=0.001), x) == [0, 0, 1, 2, 3]
    with pytest.raises(NIRError, match="n0: a delay of 0.666667 steps .* round_delays=True"):
        from_nir(path, dt=0.003)
    net = from_nir(path, dt=0.003, round_delays=True)
    assert trace(net, x) == [0, 1, 2, 3, 4]
    assert [line.node for line in net.nir_report.changed] == ["n0"]


def test_delays_of_channels(path):
    chain(path, ("Delay", {"delay": np.array([0.0, 1, 2])}), shape=(3,))
    x = torch.arange(1.0, 4.0).view(3, 1, 1).expand(3, 1, 3).contiguous()
    assert from_nir(path, dt=1)(x)[:, 0].tolist() == [[1, 0, 0], [2, 1, 0], [3, 2, 1]]
    by_row = np.arange(4.0).reshape(2, 2)
    chain(path, ("Delay", {"delay": by_row}), shape=(2, 2))
    with pytest.raises(NIRError, match="differ within a channel"):
        from_nir(path, dt=1)


def test_a_threshold_alone(path):
    chain(path, ("Threshold", {"threshold": np.array([0.5])}))
    x = torch.tensor([0.25, 0.5, 0.75]).view(3, 1, 1)
    assert trace(from_nir(path, dt=1), x) == [0, 0, 1]


# Layers


def test_convolutions_and_pools_of_any_size(path):
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 4, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)
    weights = {"weight": conv.weight.detach().numpy(), "bias": conv.bias.detach().numpy()}
    sizes = {"stride": [2, 1], "padding": [1, 2], "dilation": [1, 2], "groups": 2}
    pool = {"kernel_size": [2, 1], "stride": [2, 1], "padding": [0, 0]}
    flatten = {"start_dim": 1, "end_dim": 2, "input_type": [4, 2, 8]}
    nodes = (("Conv2d", weights | sizes), ("SumPool2d", pool), ("Flatten", flatten))
    chain(path, *nodes, shape=(2, 10, 12), made=(4, 16))
    x = (torch.rand(3, 2, 2, 10, 12) < 0.3).float()
    wanted = (4 * nn.functional.avg_pool2d(conv(x.flatten(0, 1)), (2, 1)) / 2).flatten(2)
    assert torch.allclose(from_nir(path, dt=1)(x), wanted.view(3, 2, 4, 16), atol=1e-6)


def test_scales(path):
    chain(path, ("Scale", {"scale": np.array([2.0, -1.0])}), shape=(2,))
    x = torch.tensor([[[1.0, 3.0]]])
    assert from_nir(path, dt=1)(x).flatten().tolist() == [2.0, -3.0]


# Gains


def test_a_gain_goes_into_the_weights_in_front(path):
    lif = numbers(tau=2, r=1, v_leak=0, v_threshold=1.25, v_reset=0)  # a gain of 1/2
    affine = {"weight": np.array([[3.0]]), "bias": np.array([1.0])}
    chain(path, ("Affine", affine), ("LIF", lif))
    net = from_nir(path, dt=1)
    assert net.n0.weight.item() == 1.5 and net.n0.bias.item() == 0.5
    assert str(net.nir_report.changed[0]) == "n1: changed: gain 0.5 folded into the weights of n0"


def test_a_gain_without_weights_in_front_is_a_layer(path):
    chain(path, ("LI", numbers(tau=2, r=1, v_leak=0)))
    net = from_nir(path, dt=1)
    assert trace(net)[:2] == [0.5, 0.75] and "as a layer in front" in str(net.nir_report)


def test_a_gain_that_differs_within_a_channel_is_a_layer(path):
    torch.manual_seed(0)
    r = np.array([[[1.0, 2.0]]])
    li = {"tau": np.full((1, 1, 2), 2.0), "r": r, "v_leak": np.zeros((1, 1, 2))}
    weights = {"weight": np.ones((1, 1, 1, 1)), "bias": np.zeros(1)}
    conv = weights | {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
    chain(path, ("Conv2d", conv), ("LI", li), shape=(1, 1, 2))
    assert from_nir(path, dt=1)(torch.ones(1, 1, 1, 1, 2)).flatten().tolist() == [0.5, 1.0]


# Graphs


LI = ("LI", numbers(tau=2, r=2, v_leak=0))
ENDS = {"input": ("Input", {"shape": [1]}), "output": ("Output", {"shape": [1]})}


def test_edges_into_one_node_add(path):
    nodes = ENDS | {"a": ("Scale", {"scale": [2.0]}), "b": ("Scale", {"scale": [3.0]}), "li": LI}
    edges = [("input", "a"), ("input", "b"), ("a", "li"), ("b", "li"), ("li", "output")]
    write(path, nodes, edges)
    assert trace(from_nir(path, dt=1))[:2] == [5.0, 7.5]


def test_several_inputs_and_outputs(path):
    nodes = {"x": ENDS["input"], "y": ENDS["input"], "li": LI, "o": ENDS["output"]}
    nodes["p"] = ENDS["output"]
    write(path, nodes, [("x", "li"), ("y", "li"), ("li", "o"), ("x", "p")])
    net = from_nir(path, dt=1)
    assert (net.inputs, net.outputs) == (("x", "y"), ("o", "p"))
    o, p = net((ONE, 2 * ONE))
    assert o[:2].flatten().tolist() == [3.0, 4.5] and torch.equal(p, ONE)
    (o, p), state = net.step((ONE[0], 2 * ONE[0]))
    assert o.item() == 3.0 and p.item() == 1.0 and list(state) == ["li.mem"]
    with pytest.raises(ValueError, match="x must be 2 tensors"):
        net(ONE)
    with pytest.raises(ValueError, match=r"x must be \[T, B, 1\] for x"):
        net((ONE[0], ONE))


def test_a_circle_carries_what_was_a_step_before(path):
    nodes = ENDS | {"li": LI, "w": ("Affine", {"weight": [[0.5]], "bias": [0.25]})}
    write(path, nodes, [("input", "li"), ("li", "w"), ("w", "li"), ("li", "output")])
    net = from_nir(path, dt=1)
    # Before the first step the membrane is 0, of which the weights make their bias.
    # 1 + 0.25; 0.625 + 1 + (0.625 + 0.25); 1.25 + 1 + (1.25 + 0.25)
    assert trace(net)[:3] == [1.25, 2.5, 3.75]


def test_steps_are_those_of_a_sequence(path):
    torch.manual_seed(0)
    wide = {"tau": np.full(3, 2.0), "r": np.full(3, 2.0), "v_leak": np.zeros(3)}
    lif = wide | {"v_threshold": np.full(3, 0.8), "v_reset": np.zeros(3)}
    weights = [{"weight": torch.rand(3, 3).numpy()} for _ in range(3)]
    nodes = {f"w{i}": ("Linear", fields) for i, fields in enumerate(weights)}
    nodes |= {"a": ("LIF", lif), "b": ("LIF", lif), "d": ("Delay", {"delay": np.full(3, 1.0)})}
    nodes |= {"input": ("Input", {"shape": [3]}), "output": ("Output", {"shape": [3]})}
    circle = [("a", "w1"), ("w1", "b"), ("b", "w2"), ("w2", "a")]
    write(path, nodes, [("input", "w0"), ("w0", "a"), *circle, ("b", "d"), ("d", "output")])
    net = from_nir(path, dt=1)
    x = torch.rand(20, 2, 3)
    with torch.no_grad():
        whole, state, steps = net(x), None, []
        for t, step in enumerate(x):
            out, state = net.step(step, state)
            steps.append(out)
            if t == 9:
                kept = {name: value.clone() for name, value in state.items()}
        assert torch.equal(torch.stack(steps), dense(whole)) and dense(whole).mean() > 0.1
        again, state = [], kept
        for step in x[10:]:
            out, state = net.step(step, state)
            again.append(out)
    assert torch.equal(torch.stack(again), torch.stack(steps[10:]))
    with pytest.raises(ValueError, match="state must have"):
        net.step(x[0], {"a.mem": x[0]})


def test_a_recurrent_layer_becomes_one(path):
    lif = {"tau": np.full(2, 2.0), "r": np.full(2, 2.0), "v_leak": np.zeros(2)}
    lif |= {"v_threshold": np.full(2, 0.75), "v_reset": np.zeros(2)}
    nodes = {"input": ("Input", {"shape": [2]}), "output": ("Output", {"shape": [2]})}
    nodes |= {"l.lif": ("LIF", lif), "l.w_rec": ("Linear", {"weight": [[0.0, 1.0], [0.5, 0.0]]})}
    edges = [("input", "l.lif"), ("l.lif", "l.w_rec"), ("l.w_rec", "l.lif"), ("l.lif", "output")]
    write(path, nodes, edges)
    net = from_nir(path, dt=1)
    assert type(net.l) is snn.RLeaky and net.l.recurrent.bias is None
    x = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]).view(3, 1, 2)
    # The first fires; 0.5 comes back to the second, which decays to 0.25.
    assert dense(net(x))[:, 0].tolist() == [[1, 0], [0, 0], [0, 0]]
    assert net.l.mem.flatten().tolist() == [0.0, 0.25]


def nested(inside):
    """A recurrent layer as a graph inside the graph, whose input enters one of its nodes."""
    lif = numbers(tau=2, r=2, v_leak=0, v_threshold=0.75, v_reset=0)
    inner = ENDS | {"lif": ("LIF", lif), "w_rec": ("Linear", {"weight": [[0.5]]})}
    edges = [("input", inside), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    return ENDS | {"l": (inner, edges)}, [("input", "l"), ("l", "output")]


def test_a_recurrent_layer_whose_input_enters_its_weights_is_told(path):
    write(path, *nested("lif"))
    right = from_nir(path, dt=1)
    assert not right.nir_report.changed and type(right.l) is snn.RLeaky
    write(path, *nested("w_rec"))
    mended = from_nir(path, dt=1)
    assert "recurrent weights" in str(mended.nir_report.changed[0])
    assert trace(mended) == trace(right) == [1, 1, 1, 1, 1, 1]


def test_subtract_from_nodes_of_others(path):
    nodes = ENDS | {"li": LI, "t": ("Threshold", {"threshold": [0.75]})}
    nodes["back"] = ("Linear", {"weight": [[-0.75]]})
    edges = [("input", "li"), ("li", "t"), ("t", "back"), ("back", "li"), ("t", "output")]
    write(path, nodes, edges)
    net = from_nir(path, dt=1)
    assert net.li.reset_mechanism == "subtract" and net.li.reset_delay
    assert str(net.nir_report) == "li: ok: Leaky"
    nodes["back"] = ("Linear", {"weight": [[-0.5]]})  # another amount: one to itself
    write(path, nodes, edges)
    net = from_nir(path, dt=1)
    assert net.li.reset_mechanism == "none" and net.li.V.item() == -0.5
    nodes["membrane"] = ENDS["output"]
    write(path, nodes, [*edges, ("li", "membrane")])
    net = from_nir(path, dt=1)
    assert [type(module).__name__ for module in net.children()] == ["LI", "Leaky", "Linear"]
    assert net(ONE)[0].flatten().tolist() == [1.0] * 6  # 1, then 0.5 + 1 - 0.5


def test_check_says_what_a_reader_would(path):
    lif = numbers(tau=2, r=1, v_leak=0, v_threshold=1.25, v_reset=0)
    nodes = ENDS | {"w": ("Linear", {"weight": [[1.0]]}), "lif": ("LIF", lif)}
    write(path, nodes, [("input", "w"), ("w", "lif"), ("lif", "output")])
    report = snn.nir.check(path, dt=1)
    assert [line[:2] for line in report.lines] == [("lif", "changed"), ("w", "ok")]
    report = snn.nir.check(path, dt=3)
    assert [line[:2] for line in report.refused] == [("lif", "refused")]


def test_graphs_in_memory_are_those_of_files(path):
    lif = nir.LIF(
        **{k: np.array([v]) for k, v in dict(tau=2.0, r=2.0, v_leak=0.0).items()},
        v_threshold=np.array([1.25]),
    )
    graph = nir.NIRGraph.from_list(nir.Affine(np.array([[1.0]]), np.array([0.0])), lif)
    nir.write(path, graph)
    assert trace(from_nir(graph, dt=1)) == trace(from_nir(path, dt=1)) == [0, 1, 0, 1, 0, 1]


def test_networks_learn_and_go_on_into_files(tmp_path, path):
    torch.manual_seed(0)
    source = nn.Sequential(
        snn.GradedSpikes(4), nn.Linear(4, 3), snn.Leaky(beta=0.9, init_hidden=True)
    )
    net = from_nir(snn.nir.to_nir(source, torch.rand(1, 4), dt=1e-3, reset="graph"), dt=1e-3)
    net(torch.rand(5, 2, 4)).sum().backward()
    assert net.get_parameter("1.weight").grad.abs().sum() > 0
    x = (torch.rand(9, 1, 4) < 0.5).float()
    snn.save_network(lambda x: net.step(x)[0], tmp_path / "net.safetensors", x[0])
    stream = snn.stream(snn.load_network(tmp_path / "net.safetensors"))
    steps = torch.stack([stream(step) for step in x])
    assert torch.equal(steps, dense(net(x)).detach())
