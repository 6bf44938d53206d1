"""What cannot be converted is refused with its path and the way out."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.convert import ConversionError, ann_to_snn, ann_to_ttfs
from helpers.rectifiers import mlp

X = torch.rand(4, 6)


def around(*layers):
    return nn.Sequential(nn.Linear(6, 8), nn.Sequential(*layers), nn.Linear(8, 3), nn.ReLU())


@pytest.mark.parametrize("convert", [ann_to_snn, ann_to_ttfs])
@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.LeakyReLU(), r"^1\.0, LeakyReLU: it is negative at times.*train with nn\.ReLU"),
        (nn.GELU(), r"^1\.0, GELU: it is negative at times"),
        (nn.Sigmoid(), r"^1\.0, Sigmoid: spikes can stand for ReLU.*replace it and train again"),
        (nn.Softmax(1), r"^1\.0, Softmax: leave it out of the model"),
        (nn.LayerNorm(8), r"^1\.0, LayerNorm: spikes can stand for"),
        (snn.Leaky(0.9, init_hidden=True), r"^1\.0, Leaky: it is a neuron already"),
        (
            nn.BatchNorm1d(8, track_running_stats=False),
            r"^1\.0, BatchNorm1d: .*track_running_stats=True",
        ),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, nn.Module) else "",
)
def test_layers_that_spikes_cannot_stand_for(convert, layer, message):
    with pytest.raises(ConversionError, match=message) as error:
        convert(around(layer), [X])
    assert error.value.path.startswith("1.0")


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function, self.fc, self.out = function, nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        return torch.relu(self.out(self.function(self.fc(x))))


@pytest.mark.parametrize(
    "function",
    [torch.tanh, lambda x: x * x, lambda x: x.clamp(-1, 1), lambda x: x.softmax(1), torch.exp],
)
def test_functions_that_spikes_cannot_stand_for(function):
    with pytest.raises(ConversionError, match=r"in .*spikes can stand for"):
        ann_to_snn(Calls(function), [X])


def test_values_that_mix_samples():
    with pytest.raises(ConversionError, match="keep the batch apart"):
        ann_to_snn(Calls(lambda x: x[:2]), [X])


def test_maxima_of_what_does_not_fire():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 1), nn.ReLU())
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), *net)
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    with pytest.raises(ConversionError, match=r"^3: .*directly in front of a ReLU.*'average'"):
        ann_to_snn(net, [torch.rand(2, 1, 8, 8)])


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return torch.relu(self.fc(x)), x


def test_models_without_rectifiers_or_of_another_kind():
    with pytest.raises(ConversionError, match=r"Linear: it has no ReLU"):
        ann_to_snn(nn.Linear(6, 3), [X])
    with pytest.raises(TypeError, match=r"model must be an nn\.Module, not function"):
        ann_to_snn(around, [X])
    with pytest.raises(ConversionError, match="must return one tensor"):
        ann_to_snn(Pair(), [X])


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return torch.relu(self.fc(x)) if x.sum() > 0 else self.fc(x)


def test_programs_that_numbers_decide():
    with pytest.raises(snn.graph.GraphError, match=r"test_refusals.*numbers of a tensor decide"):
        ann_to_snn(Branches(), [X])


@pytest.mark.parametrize("convert", [ann_to_snn, ann_to_ttfs])
def test_loaders_that_say_nothing(convert):
    net = around(nn.ReLU())
    with pytest.raises(TypeError, match="loader must yield batches of inputs"):
        convert(net, None)
    with pytest.raises(ValueError, match="loader has no batch"):
        convert(net, [])
    with pytest.raises(TypeError, match="can be started again"):
        convert(net, iter([X]))
    with pytest.raises(TypeError, match="batch 0 of loader must be a tensor"):
        convert(net, [{"x": X}])
    with pytest.raises(ValueError, match=r"batch 0 of loader must be samples \[B, \*\]"):
        convert(net, [X[0]])
    with pytest.raises(ValueError, match="batch 1 of loader has NaN or infinity"):
        convert(net, [X, X.clone().fill_(torch.nan)])


def test_activations_that_are_not_finite():
    net = mlp(0, (6, 5, 3))
    net[0].weight.data[0, 0] = torch.inf
    with pytest.raises(
        ConversionError, match=r"^1: its activations have NaN or infinity in batch 0"
    ):
        ann_to_snn(net, [X])


def test_rectifiers_that_are_never_active():
    net = mlp(0, (6, 5, 3))
    net[0].bias.data.fill_(-100.0)
    with pytest.raises(ConversionError, match=r"^1: no activation is positive.*take it out"):
        ann_to_snn(net, [X])


def test_unknown_words_and_numbers():
    net = mlp(0, (6, 5, 3))
    with pytest.raises(ValueError, match="init must be one of 'half', 'zero'"):
        ann_to_snn(net, [X], init="full")
    with pytest.raises(ValueError, match="max_pool must be one of 'rate', 'average'"):
        ann_to_snn(net, [X], max_pool="or")
    with pytest.raises(ValueError, match="num_steps must be at least 1"):
        ann_to_snn(net, [X], num_steps=0)
    converted, _ = ann_to_snn(net, [X])
    with pytest.raises(ValueError, match="num_steps must be at least 1"):
        converted(X, 0)
    with pytest.raises(ValueError, match=r"x must be samples \[B, \*\]"):
        converted(X[0])
