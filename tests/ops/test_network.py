"""Networks from files, step by step, against whole sequences of the package's own layers."""

import json

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.ops import network

STEPS, BATCH = 12, 3


def leaky(current, out, state, **changes):
    op = {
        "op": "leaky",
        "in": current,
        "out": out,
        "beta": 0.9,
        "threshold": 1.0,
        "reset": "subtract",
        "reset_delay": True,
        "fire_at": "gt",
        "order": "integrate_first",
        "recurrent": None,
        "state": [state],
        "initial": [0],
    }
    return op | changes


def linear(x, out, name):
    weight, bias = f"{name}.weight", f"{name}.bias"
    return {"op": "linear", "in": x, "out": out, "weight": weight, "bias": bias}


def graph(ops, outputs, shape, kind="spikes"):
    x = {"name": "x", "shape": list(shape), "kind": kind}
    return json.dumps({"dt": 1e-3, "inputs": [x], "previous": [], "ops": ops, "outputs": outputs})


def two_layers():
    """A file of two layers, and the same in whole sequences."""
    torch.manual_seed(0)
    net = nn.ModuleDict({"fc1": nn.Linear(70, 40), "fc2": nn.Linear(40, 5)})
    # Multiples of 1/64, whose sums are exact in any order.
    for x in net.parameters():
        x.data = (x.data * 256).round() / 64
    ops = [
        linear("x", "c1", "fc1"),
        leaky("c1", "s1", "m1"),
        linear("s1", "c2", "fc2"),
        leaky("c2", "y", "m2", reset="zero"),
    ]
    data = network.write(graph(ops, ["y"], [70]), dict(net.named_parameters()))

    def whole(x):
        first, _ = snn.Leaky(beta=0.9, multi_step=True)(net["fc1"](x))
        second = snn.Leaky(beta=0.9, reset_mechanism="zero", multi_step=True)
        spikes, membranes = second(net["fc2"](first))
        return spikes.dense(), membranes

    return data, whole


@pytest.fixture(scope="module")
def file():
    return two_layers()


def spikes():
    return (torch.rand(STEPS, BATCH, 70, generator=torch.Generator().manual_seed(1)) < 0.2).float()


@pytest.mark.isa
@pytest.mark.parametrize("form", ["events", "words", "dense"])
def test_steps_are_whole_sequences_for_every_form_of_input(file, form):
    data, whole = file
    x = spikes()
    with torch.no_grad():
        expected, membranes = whole(snn.SpikeTensor.from_dense(x))
    state = network.Network(data).state(BATCH, ["y", "m2"])
    for t in range(STEPS):
        given = {
            "dense": x[t],
            "events": x[t].flatten().nonzero()[:, 0].to(torch.int32 if t % 2 else torch.int64),
            "words": snn.SpikeTensor.from_dense(x[t]).words,
        }[form]
        fired, membrane = state.step(given, form)
        assert torch.equal(fired, expected[t])
        assert torch.equal(membrane, membranes[t])
    assert torch.equal(state.counts("y"), expected.sum(0))
    assert torch.equal(state.read("m2"), membranes[-1])
    assert state.steps == STEPS


def test_results_can_be_words_or_go_where_the_caller_says(file):
    data, _ = file
    net, x = network.Network(data), spikes()
    dense, packed = net.state(BATCH), net.state(BATCH, packed=True)
    out = [torch.full((BATCH, 5), torch.nan)]
    for t in range(STEPS):
        (fired,) = dense.step(x[t], "dense", out)
        (words,) = packed.step(x[t], "dense")
        assert fired is out[0]
        assert torch.equal(words, snn.SpikeTensor.from_dense(fired).words)


def test_a_saved_state_goes_on_alike(file):
    data, _ = file
    net, x = network.Network(data), spikes()
    state, other = net.state(BATCH), net.state(BATCH)
    for t in range(STEPS):
        other.restore(state.save())
        (expected,), (found,) = state.step(x[t], "dense"), other.step(x[t], "dense")
        assert torch.equal(found, expected) and other.save() == state.save()
    state.reset()
    assert state.steps == 0 and state.save() == net.state(BATCH).save()


def test_a_network_says_what_it_is(file):
    net = network.Network(file[0])
    assert net.outputs == ("y",) and net.dt == 1e-3 and len(net.digest) == 64
    assert net.input == network.Value((70,), True)
    assert net.value("c1") == network.Value((40,), False)
    assert net.memory(2) > net.memory(1) > 0


def test_what_does_not_fit_is_refused(file):
    data, _ = file
    net = network.Network(data)
    with pytest.raises(ValueError, match="digest"):
        network.Network(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ValueError, match="shorter"):
        network.Network(data[:5])
    with pytest.raises(KeyError, match="nothing"):
        net.state(1, ["nothing"])
    with pytest.raises(KeyError, match="m2"):
        net.state(1).counts("m2")
    with pytest.raises(ValueError, match="0 samples"):
        net.state(0)
    state = net.state(1)
    before = state.save()
    for x, form, match in (
        (torch.zeros(69), "dense", "69 numbers"),
        (torch.full((70,), 0.5), "dense", "0 or 1"),
        (torch.tensor([70]), "events", "event 70"),
        (torch.tensor([-1]), "events", "-1 is no input"),
        (torch.zeros(3, dtype=torch.int64), "words", "3 words"),
        (torch.tensor([0, -1]), "words", "beyond"),
    ):
        with pytest.raises(ValueError, match=match):
            state.step(x, form)
    with pytest.raises(TypeError, match="float32"):
        state.step(torch.zeros(70, dtype=torch.float64), "dense")
    for out, error in (
        ([torch.zeros(4)], ValueError),
        ([], ValueError),
        ([torch.zeros(5).double()], TypeError),
    ):
        with pytest.raises(error, match="y"):
            state.step(torch.zeros(70), "dense", out)
    with pytest.raises(ValueError, match="another network"):
        other = graph([leaky("x", "y", "m")], ["y"], [2], "numbers")
        state.restore(network.Network(network.write(other, {})).state(1).save())
    assert state.save() == before
    with pytest.raises(ValueError, match="clif"):
        network.write(graph([leaky("x", "y", "m", op="clif")], ["y"], [2], "numbers"), {})
