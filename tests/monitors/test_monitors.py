"""Monitors: snnTorch's records of single steps, and ours of sequences and packed spikes."""

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn

import bitspike as snn
import bitspike.functional as SF
from bitspike.functional import probe
from helpers.compare import error, same_bits

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch
    from snntorch.functional import probe as their_probe

T, B, K, N = 6, 3, 8, 70


def network(library=snn, **arguments):
    """Two layers with small whole weights, with which sums are exact in any order."""
    torch.manual_seed(2)
    arguments = dict(beta=0.5, init_hidden=True) | arguments
    net = nn.Sequential(
        nn.Linear(K, N), library.Leaky(**arguments), nn.Linear(N, 4), library.Leaky(**arguments)
    )
    for p in net.parameters():
        if p.dim():
            p.data = torch.randint(-3, 4, p.shape).float()
    return net


def spikes(*shape):
    return (torch.rand(shape) < 0.4).float()


LIBRARIES = ((snntorch, their_probe), (snn, probe))


def records(kind, *arguments, classes, run):
    """The records of both libraries, of layers of these classes."""
    monitors = []
    for library, module in LIBRARIES:
        net = network(library)
        instance = tuple(getattr(library, name, None) or getattr(nn, name) for name in classes)
        monitors.append(getattr(module, kind)(*arguments, net, instance))
        run(net)
    theirs, ours = monitors
    assert ours.monitored_layers == theirs.monitored_layers != []
    assert ours.name_records_index == theirs.name_records_index
    for layer, indices in ours.name_records_index.items():
        assert [id(x) for x in ours[layer]] == [id(ours.records[i]) for i in indices]
    return list(zip(ours.records, theirs.records, strict=True))


def steps(net):
    torch.manual_seed(4)
    for x in spikes(T, B, K):
        net(x)


def training(net):
    torch.manual_seed(4)
    x = torch.rand(T, B, K, requires_grad=True)
    sum(net(step).sum() * (t + 1) for t, step in enumerate(x)).backward()


@pytest.mark.parametrize("classes", [("Leaky",), ("Linear",), ("Leaky", "Linear")], ids=str)
@pytest.mark.parametrize("kind", ["OutputMonitor", "InputMonitor"])
def test_inputs_and_outputs_equal_snntorchs(kind, classes):
    pairs = records(kind, classes=classes, run=steps)
    assert len(pairs) == 2 * T * len(classes) and any(ours.any() for ours, _ in pairs)
    for ours, theirs in pairs:
        assert same_bits(ours, theirs)
        assert ours.requires_grad == theirs.requires_grad


@pytest.mark.parametrize("kind", ["GradInputMonitor", "GradOutputMonitor"])
def test_gradients_equal_snntorchs(kind):
    pairs = records(kind, classes=("Leaky", "Linear"), run=training)
    assert len(pairs) == 4 * T and any(ours.any() for ours, _ in pairs)
    for ours, theirs in pairs:
        assert error(ours, theirs) < 1e-6


def test_states_equal_snntorchs():
    pairs = records("AttributeMonitor", "mem", False, classes=("Leaky",), run=steps)
    assert len(pairs) == 2 * T
    assert all(same_bits(ours, theirs) for ours, theirs in pairs)


def test_states_before_a_call():
    with pytest.raises(TypeError, match="hook"):
        records("AttributeMonitor", "mem", True, classes=("Leaky",), run=steps)
    net = network()
    before, after = (SF.AttributeMonitor("mem", when, net, snn.Leaky) for when in (True, False))
    steps(net)
    for layer in ("1", "3"):
        first, *others = before[layer]
        assert first.numel() == 0 and len(others) == T - 1
        assert all(a is b for a, b in zip(others, after[layer], strict=False))


def test_any_attribute():
    lif = snn.Leaky(beta=0.5)
    with pytest.raises(TypeError, match="isinstance"):
        their_probe.AttributeMonitor("reset_mechanism", False, snntorch.Leaky(beta=0.5))
    monitor = SF.AttributeMonitor("reset_mechanism", False, lif, None, str.upper)
    lif(torch.ones(2))
    assert monitor.records == ["SUBTRACT"] and monitor.monitored_layers == [""]
    SF.AttributeMonitor("voltage", True, lif)
    with pytest.raises(AttributeError, match="'Leaky' object has no attribute 'voltage'"):
        lif(torch.ones(2))


@pytest.mark.parametrize(
    "make",
    [
        SF.OutputMonitor,
        SF.InputMonitor,
        SF.GradInputMonitor,
        SF.GradOutputMonitor,
        lambda *arguments: SF.AttributeMonitor("beta", False, *arguments),
    ],
)
def test_classes(make):
    net = nn.Sequential(nn.Sequential(snn.Leaky(0.9), snn.Synaptic(0.9, 0.8)), snn.Leaky(0.9))
    assert make(net).monitored_layers == ["", "0"]
    assert make(net[1]).monitored_layers == [""]
    assert make(net, snn.Synaptic).monitored_layers == ["0.1"]
    assert make(net, (snn.Synaptic, snn.Leaky)).monitored_layers == ["0.0", "0.1", "1"]
    for wrong in (snn.Leaky(beta=0.9), "Leaky"):
        with pytest.raises(TypeError, match="instance must be a class or a tuple of classes, not"):
            make(net, wrong)


def test_switches():
    net = network()
    monitor = SF.OutputMonitor(net, snn.Leaky, function_on_output=torch.sum)
    x = spikes(B, K)
    net(x)
    assert monitor.is_enable() and len(monitor.records) == 2 and monitor[0].dim() == 0
    monitor.disable()
    net(x)
    assert not monitor.is_enable() and len(monitor.records) == 2
    monitor.enable()
    net(x)
    assert monitor.name_records_index == {"1": [0, 2], "3": [1, 3]}
    monitor.clear_recorded_data()
    assert monitor.records == [] and monitor["1"] == []
    net(x)
    assert len(monitor["1"]) == 1
    monitor.remove_hooks()
    net(x)
    assert len(monitor.records) == 2


def test_what_is_not_recorded():
    monitor = SF.OutputMonitor(network(), snn.Leaky)
    with pytest.raises(KeyError, match=r"'7' is not monitored, but \['1', '3'\] are"):
        monitor["7"]
    with pytest.raises(ValueError, match=r"a record has a number, and a layer a name: not 1\.5"):
        monitor[1.5]
    with pytest.raises(IndexError):
        monitor[0]


def test_tuples_of_one():
    assert SF.unpack_len1_tuple((3,)) == 3 == SF.unpack_len1_tuple(3)
    assert SF.unpack_len1_tuple((3, 4)) == (3, 4) and SF.unpack_len1_tuple([3]) == [3]
    lif = snn.Leaky(beta=0.5)
    given, returned = SF.InputMonitor(lif), SF.OutputMonitor(lif)
    x, mem = torch.ones(2), torch.zeros(2)
    result = lif(x, mem)
    assert returned.records == [result] and given.records == [(x, mem)]


def test_copies_have_monitors_of_their_own():
    net = network()
    net.monitor = monitor = SF.OutputMonitor(net, snn.Leaky)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        other(spikes(B, K))
        assert len(other.monitor.records) == 2 and not monitor.records
        other.monitor.remove_hooks()
        other(spikes(B, K))
        assert len(other.monitor.records) == 2


# Sequences


def test_packed_spikes_stay_packed():
    net = network(multi_step=True)
    outputs, inputs = (
        kind(net, (snn.Leaky, nn.Linear)) for kind in (SF.OutputMonitor, SF.InputMonitor)
    )
    x = snn.SpikeTensor.from_dense(spikes(T, B, K))
    before = snn.unpacked_operations()
    result = net(x)
    assert snn.unpacked_operations() == before
    assert [len(outputs[layer]) for layer in "0123"] == [1] * 4
    assert outputs["3"][0] is result and inputs["0"][0] is x
    assert outputs["1"][0] is inputs["2"][0] and type(inputs["2"][0]) is snn.SpikeTensor


def test_unrolled_sequences():
    net = network()
    outputs = SF.OutputMonitor(net, (snn.Leaky, nn.Linear))
    inputs = SF.InputMonitor(net, (snn.Leaky, nn.Linear))
    states = SF.AttributeMonitor("mem", False, net, snn.Leaky)
    x = snn.SpikeTensor.from_dense(spikes(T, B, K))
    before = snn.unpacked_operations()
    result = snn.unroll(net, x)
    assert snn.unpacked_operations() == before
    assert [r.shape[:2] for r in outputs["1"] + outputs["3"]] == [(T, B)] * 2
    assert outputs["3"][0] is result and type(outputs["1"][0]) is snn.SpikeTensor
    assert inputs["2"][0].shape == (T * B, N) and outputs["2"][0].shape == (T * B, 4)
    assert states["3"][0] is net[3].mem and states["3"][0].shape == (B, 4)
    plain = network()
    assert torch.equal(snn.unroll(plain, x).dense(), result.dense())


@pytest.mark.parametrize("kind", [SF.GradInputMonitor, SF.GradOutputMonitor])
def test_gradients_of_sequences(kind):
    weights = torch.arange(1.0, T + 1).view(T, 1, 1)
    x = torch.rand(T, B, K)
    found = []
    for unrolled in (False, True):
        net = network(multi_step=not unrolled)
        monitor = kind(net, snn.Leaky)
        given = x.clone().requires_grad_()
        out = snn.unroll(net, given) if unrolled else net(given)
        assert type(out) is snn.SpikeTensor
        (out * weights).sum().backward()
        found.append([monitor["1"], monitor["3"]])
    net, single = network(), []
    monitor = kind(net, snn.Leaky)
    given = x.clone().requires_grad_()
    sum((net(step) * (t + 1)).sum() for t, step in enumerate(given)).backward()
    for layer, *both in zip("13", *found, strict=True):
        # A time loop computes the gradient of the last step first.
        single = torch.stack(monitor[layer][::-1])
        for records_of_layer in both:
            assert len(records_of_layer) == 1
            assert error(records_of_layer[0], single) < 1e-6


# No gradient leads to what the neuron sends back before its first step.
@pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")
@pytest.mark.parametrize("kind", [SF.OutputMonitor, SF.InputMonitor, SF.GradOutputMonitor])
def test_connections_inside_a_neuron(kind):
    neuron = snn.RLeaky(beta=0.5, linear_features=N, init_hidden=True, multi_step=True)
    monitor = kind(neuron, nn.Linear)
    neuron(2 * torch.rand(T, B, N, requires_grad=True)).sum().backward()
    assert len(monitor["recurrent"]) == T and monitor[T // 2].shape == (B, N)
