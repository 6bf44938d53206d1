"""What a spike of each layer stands for."""

import pytest
import torch
from torch import nn

from bitspike import convert
from helpers.rectifiers import mlp


def thresholds(ann, data, **options):
    net, _ = convert.ann_to_snn(ann, data, **options)
    return {name: neuron.threshold.detach() for name, neuron in net.neurons().items()}


def activations(ann, x):
    with torch.no_grad():
        first = ann[:2](x)
        return {"1": first, "3": ann[2:4](first)}


def test_the_largest_activation_of_all_batches():
    ann, data = mlp(0), [torch.rand(30, 12), 2 * torch.rand(30, 12), torch.rand(9, 12)]
    found = thresholds(ann, data, normalise="max")
    for name, values in activations(ann, torch.cat(data)).items():
        assert torch.equal(found[name], values.max())


def test_the_largest_activation_of_each_channel():
    ann, x = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten()), torch.randn(9, 1, 6, 6)
    found = thresholds(ann, [x], normalise="max", per_channel=True)["1"]
    with torch.no_grad():
        assert torch.equal(found, ann[:2](x).amax((0, 2, 3)).view(5, 1, 1))


@pytest.mark.parametrize("share", [50, 90, 99.9])
def test_a_percentage_of_the_positive_activations(share):
    ann, data = mlp(0), [torch.randn(200, 12), 3 * torch.randn(200, 12)]
    found = thresholds(ann, data, normalise=f"{share}%")
    for name, values in activations(ann, torch.cat(data)).items():
        expected = torch.quantile(values[values > 0], share / 100)
        assert float(found[name]) == pytest.approx(float(expected), rel=0.01 if share < 99 else 0.1)


def test_robust_is_nearly_all_of_them():
    ann, x = mlp(0), torch.randn(200, 12)
    assert thresholds(ann, [x], normalise="robust") == thresholds(ann, [x], normalise="99.9%")


@pytest.mark.parametrize("steps", [2, 8, 32])
def test_the_smallest_error_is_the_smallest_of_all(steps):
    ann, x = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Flatten()), torch.randn(5000, 1)
    found = float(thresholds(ann, [x], num_steps=steps)["1"])
    values = x[x > 0]

    def error(limit):
        clipped = (values - limit).clamp(min=0).square().sum()
        return float(clipped + (values <= limit).sum() * (limit / steps) ** 2 / 12)

    candidates = torch.linspace(0.1, 5, 2000).tolist()
    assert error(found) <= 1.01 * min(map(error, candidates))


def test_more_steps_allow_for_larger_thresholds():
    ann, x = mlp(0), torch.randn(500, 12)
    few, many = (thresholds(ann, [x], num_steps=steps) for steps in (2, 64))
    assert all(few[name] < many[name] for name in few)


def test_balancing_adds_what_activations_exceed_thresholds_by():
    ann = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Flatten())
    data = [torch.tensor([[1.0, -1.0], [3.0, 0.5]]), torch.tensor([[5.0, 1.0]])]
    # 0 + 2·(1+3)/2 = 4, + 2·1 = 6; 0 + 2·(0+0.5)/2 = 0.5, + 2·0.5 = 1.5.
    found = convert.local_threshold_balancing(ann, data, rounds=1)
    assert torch.equal(found["1"], torch.tensor([6.0, 1.5]))


def test_balancing_ends_close_to_what_it_clips_little_of():
    ann, x = mlp(0), torch.randn(200, 12)
    found = thresholds(ann, [x], normalise="balance", per_channel=True)
    for name, values in activations(ann, x).items():
        clipped = (values - found[name]).clamp(min=0)
        assert float(clipped.mean()) < 0.02 * float(values.mean())


def test_silent_channels_take_the_threshold_of_their_layer():
    ann = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    ann[0].weight.data = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    nn.init.zeros_(ann[0].bias)
    found = thresholds(ann, [torch.ones(3, 2)], normalise="max", per_channel=True)
    assert found["1"].tolist() == [2, 2]


def test_a_rectifier_with_a_limit_needs_no_larger_threshold():
    ann = nn.Sequential(nn.Linear(1, 1), nn.ReLU6(), nn.Linear(1, 1))
    nn.init.constant_(ann[0].weight, 100.0)
    assert thresholds(ann, [torch.rand(50, 1)], normalise="max")["1"] == 6


@pytest.mark.parametrize("word", ["largest", "0%", "101%", "x%", 99.9])
def test_unknown_statistics_are_refused(word):
    with pytest.raises(ValueError, match=r"normalise must be 'error', 'max', 'robust'"):
        convert.ann_to_snn(mlp(0), [torch.rand(3, 12)], normalise=word)
