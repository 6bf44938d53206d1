"""Operations, bytes and joules, counted one by one."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike import SpikeTensor, spikegen
from bitspike.analysis.connections import FanOut

T, B = 6, 3
ADD, MAC = 0.9e-12, 4.6e-12


def lif(**kwargs):
    return snn.Leaky(**{"beta": 0.9, "init_hidden": True, **kwargs})


def spikes(*features, density=0.4):
    return spikegen.rate(torch.full((B, *features), density), T, packed=True)


# Connections


def source(position, size, mode):
    """Which input a position of the padded axis shows, or None."""
    if 0 <= position < size:
        return position
    if mode == "circular":
        return position % size
    if mode == "replicate":
        return min(max(position, 0), size - 1)
    if mode == "reflect":
        return -position if position < 0 else 2 * (size - 1) - position
    return None


def counted(layer, x):
    """Weights added for the spikes of one sample, and all connections: tap by tap."""
    channels, *sizes = x.shape
    padding = layer.padding
    if padding == "same":
        padding = [d * (k - 1) // 2 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    elif padding == "valid":
        padding = [0] * len(sizes)
    with torch.no_grad():
        outputs = layer(x.unsqueeze(0)).shape[2:]
    active = total = 0
    for output in range(layer.out_channels):
        group = output // (layer.out_channels // layer.groups)
        size = channels // layer.groups
        for place in itertools.product(*map(range, outputs)):
            for tap in itertools.product(*map(range, layer.kernel_size)):
                at = [
                    source(o * s + k * d - p, n, layer.padding_mode)
                    for o, s, k, d, p, n in zip(
                        place, layer.stride, tap, layer.dilation, padding, sizes, strict=True
                    )
                ]
                if None not in at:
                    for channel in range(group * size, (group + 1) * size):
                        total += 1
                        active += int(x[(channel, *at)])
    return active, total, layer.out_channels * outputs.numel()


def assert_counted(layer, x):
    """``x``: one sample of zeros and ones."""
    active, total, outputs = counted(layer, x)
    fan_out = FanOut(layer, x.shape)
    assert fan_out.of(SpikeTensor.from_dense(x.unsqueeze(0), x.dim())) == active
    assert (fan_out.total, fan_out.outputs) == (total, outputs)


@settings(max_examples=40)
@given(st.data())
def test_connections_of_a_convolution(data):
    def number(low, high):
        return data.draw(st.integers(low, high))

    groups = number(1, 2)
    kernel, stride, dilation, padding = (
        (number(low, high), number(low, high)) for low, high in ((1, 3), (1, 3), (1, 2), (0, 3))
    )
    layer = nn.Conv2d(
        2 * groups, groups * number(1, 2), kernel, stride, padding, dilation, groups
    )  # fmt: skip
    x = torch.tensor(data.draw(st.lists(st.booleans(), min_size=140, max_size=140))).float()
    assert_counted(layer, x[: 2 * groups * 35].view(2 * groups, 5, 7))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3, padding=2, padding_mode="circular"),
        nn.Conv2d(2, 3, 3, 2, padding=2, padding_mode="reflect"),
        nn.Conv2d(2, 3, (3, 2), padding=2, padding_mode="replicate", bias=False),
        nn.Conv2d(2, 3, 3, padding="same", dilation=2),
        nn.Conv2d(2, 3, 3, padding="valid"),
        nn.Conv1d(2, 4, 3, 2, padding=1, groups=2),
        nn.Conv3d(2, 3, (1, 2, 3), padding=(0, 1, 1)),
    ],
    ids=str,
)
def test_connections_of_paddings_and_dimensions(layer):
    sizes = (4, 3, 5)[: len(layer.kernel_size)]
    assert_counted(layer, (torch.rand(2, *sizes) < 0.5).float())


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_even_kernels_that_keep_the_size():
    layer = nn.Conv1d(1, 1, 4, padding="same", bias=False)
    for x in torch.eye(6).unsqueeze(1):
        wanted = int(layer(x).count_nonzero())
        assert FanOut(layer, x.shape).of(SpikeTensor.from_dense(x.unsqueeze(0), 2)) == wanted


# Layers


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "dense"])
def test_a_linear_layer_adds_a_row_per_spike(packed):
    net, x = nn.Sequential(nn.Linear(70, 8), lif()), spikes(70)
    (row,) = snn.energy(net, x if packed else x.dense())
    count = int(x.dense().sum())
    assert (row.name, row.kind, row.by_spikes) == ("0", "Linear", True)
    assert row.density == pytest.approx(count / x.numel())
    assert (row.operations, row.bias_additions) == (8 * count, T * B * 8)
    assert row.weight_bytes == 4 * 8 * count
    assert (row.input_bytes, row.dense_input_bytes) == (T * B * 2 * 8, T * B * 70 * 4)
    assert (row.ann_operations, row.ann_bias_additions) == (B * 70 * 8, B * 8)
    assert row.joules == pytest.approx((8 * count + T * B * 8) * ADD)
    assert row.ann_joules == pytest.approx(B * 70 * 8 * MAC + B * 8 * ADD)


def test_numbers_are_multiplied_zeros_too():
    net = nn.Sequential(nn.Linear(70, 8, bias=False), lif())
    x = torch.rand(T, B, 70)
    x[:, :, :35] = 0
    (row,) = snn.energy(net, x, add_pj=1, multiply_pj=2)
    assert not row.by_spikes and row.density == pytest.approx(0.5, abs=1e-3)
    assert (row.operations, row.bias_additions) == (T * B * 70 * 8, 0)
    assert row.input_bytes == row.dense_input_bytes == T * B * 70 * 4
    assert row.joules == pytest.approx(T * B * 70 * 8 * 3e-12)
    assert row.ann_joules == pytest.approx(row.joules / T)


def test_signed_spikes_are_added():
    net = nn.Sequential(nn.Linear(70, 8), lif())
    x = torch.randint(-1, 2, (T, B, 70)).float()
    (row,) = snn.energy(net, x)
    assert row.by_spikes and row.operations == 8 * int(x.count_nonzero())


def test_a_convolution():
    net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), lif(), nn.Flatten(), nn.Linear(75, 4), lif())
    x = spikes(2, 5, 5)
    first, second = snn.energy(net, x)
    each = [counted(net[0], one)[0] for one in x.dense().flatten(0, 1)]
    assert first.operations == sum(each) and first.bias_additions == T * B * 75
    assert first.ann_operations == B * counted(net[0], x.dense()[0, 0])[1]
    snn.utils.reset(net)
    assert second.operations == 4 * int(snn.unroll(net[:2], x).sum())


@pytest.mark.parametrize("how", ["steps", "sequences", "constant"])
def test_however_it_runs(how):
    net, x = nn.Sequential(nn.Linear(70, 8), lif(), nn.Linear(8, 5), lif()), spikes(70)
    if how == "constant":
        x = x.dense()[0].expand(T, B, 70)
    run = {
        "steps": lambda net, x: torch.stack([net(step) for step in x.dense()]),
        "sequences": lambda net, x: net[3].run_sequence(net[2](net[1].run_sequence(net[0](x)))),
        "constant": None,
    }[how]
    first, second = snn.energy(net, x, run=run)
    usual = list(snn.energy(net, x if how != "constant" else x.contiguous()))
    assert second == usual[1] and first.ann_operations == usual[0].ann_operations
    assert first.operations * (T if how == "constant" else 1) == usual[0].operations


def test_a_layer_that_runs_twice_counts_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif = nn.Linear(9, 9), lif()

        def forward(self, x):
            return self.lif.run_sequence(self.fc(x) + self.fc(x))

    (row,) = snn.energy(Twice(), x := spikes(9))
    assert row.operations == 2 * 9 * int(x.sum()) and row.ann_operations == 2 * 81 * B


@pytest.mark.parametrize("kind", ["dense", "one-to-one", "convolution"])
@pytest.mark.parametrize("steps", [False, True], ids=["sequence", "steps"])
def test_spikes_that_come_back(kind, steps):
    options = {
        "dense": {"linear_features": 8},
        "one-to-one": {"all_to_all": False},
        "convolution": {"conv2d_channels": 2, "kernel_size": 3},
    }[kind]
    neuron = snn.RSynaptic(alpha=0.8, beta=0.9, init_hidden=True, **options)
    shape = (2, 4, 5) if kind == "convolution" else (8,)
    x = 2 * torch.rand(T, B, *shape)
    run = (lambda net, x: torch.stack([net(step) for step in x])) if steps else None
    (row,) = report = snn.energy(neuron, x, run=run)
    snn.utils.reset(neuron)
    back = neuron.run_sequence(x).dense()[:-1]
    assert 0 < back.mean() < 1 and row.name == "RSynaptic.recurrent"
    if kind == "convolution":
        wanted = sum(counted(neuron.recurrent, one)[0] for one in back.flatten(0, 1))
    else:
        wanted = int(back.sum()) * (8 if kind == "dense" else 1)
    assert row.operations == wanted and row.by_spikes
    assert row.bias_additions == (0 if kind == "one-to-one" else x.numel())
    assert not report.uncounted


def test_neurons():
    net = nn.Sequential(
        nn.Linear(7, 8), snn.Synaptic(0.8, 0.9, init_hidden=True),
        nn.Linear(8, 5), snn.LI(0.9, init_hidden=True),
    )  # fmt: skip
    report = snn.energy(net, spikes(7, density=0.9))
    first, second = report.neurons
    fired = report.synapses[1].operations // 5
    assert (first.updates, first.operations, first.spikes) == (T * B * 8, 2 * T * B * 8, fired)
    assert first.joules == pytest.approx(2 * T * B * 8 * MAC + fired * ADD)
    assert (second.updates, second.operations, second.spikes) == (T * B * 5, T * B * 5, 0)
    assert report.synops == sum(row.operations for row in report)
    rows = (*report.synapses, *report.neurons)
    assert report.joules == pytest.approx(sum(row.joules for row in rows))
    assert report.ann_joules == sum(row.ann_joules for row in report)


def test_neurons_that_only_take_sequences_are_counted_once():
    net, x = nn.Sequential(nn.Linear(7, 8), lif(), snn.LinearLeaky(0.9, 8, 5)), spikes(7)
    report = snn.energy(net, x)
    assert [row.name for row in report] == ["0", "2.linear"]
    assert [row.updates for row in report.neurons] == [T * B * 8, T * B * 5]


def test_what_is_not_counted_is_named():
    net = nn.Sequential(
        nn.Linear(7, 8), nn.BatchNorm1d(8), lif(), snn.SLSTM(8, 4, init_hidden=True)
    )
    assert snn.energy(net, spikes(7)).uncounted == ("1 (BatchNorm1d)", "3.lstm_cell (LSTMCell)")
    assert snn.energy(snn.LeakyParallel(7, 8), spikes(7)).uncounted == ("rnn (RNNBase)",)


def test_packed_spikes_are_not_unpacked():
    net, x = nn.Sequential(nn.Linear(70, 8), lif(), nn.Linear(8, 4), lif()), spikes(70)
    before = snn.unpacked_operations()
    snn.energy(net, x)
    assert snn.unpacked_operations() == before


def test_the_table_is_aligned():
    net = nn.Sequential(nn.Linear(70, 800), lif(), nn.BatchNorm1d(800), nn.Linear(800, 5), lif())
    lines = str(snn.energy(net, spikes(70))).splitlines()
    assert lines[0].startswith(f"{T} steps; per sample, mean of {B}")
    assert len({len(line) for line in lines[1:4]}) == len({len(line) for line in lines[5:8]}) == 1
    assert "J per sample; a dense pass takes " in lines[9] and lines[9].endswith("times as much")
    assert lines[10] == "not counted: 2 (BatchNorm1d)"


@pytest.mark.parametrize("name", ["add_pj", "multiply_pj"])
def test_energies_are_not_negative(name):
    with pytest.raises(ValueError, match=f"{name} must not be negative, but is -1"):
        snn.energy(lif(), spikes(7), **{name: -1})
