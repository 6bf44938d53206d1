"""Where errors come from."""

import pytest
import torch
from torch import nn

from bitspike import convert
from helpers.rectifiers import digits, mlp, trained


def one_layer():
    """A layer that returns its inputs, rectified."""
    ann = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU(), nn.Identity())
    nn.init.ones_(ann[0].weight)
    return ann


def test_a_single_layer_by_hand():
    ann, x = one_layer(), torch.tensor([[1.0], [2.0], [4.0], [-1.0]])
    # The median of 1, 2 and 4, rounded up to the next size that is counted, is the threshold.
    net, report = convert.ann_to_snn(ann, [x], normalise="50%", num_steps=2)
    (row,) = report
    threshold = row.threshold
    assert 2 <= threshold < 2.02
    size = torch.tensor([1.0, 4.0, 16.0, 0.0]).mean().sqrt()
    rates = threshold * torch.tensor([0.5, 1.0, 1.0, 0.0])
    clipped = torch.tensor([1.0, 2.0, threshold, 0.0])
    assert row.clipping == pytest.approx(float((4 - threshold) / 2 / size))
    assert row.quantisation == pytest.approx(
        float((clipped - rates).square().mean().sqrt() / size), abs=1e-6
    )
    assert row.unevenness == row.inherited == 0
    assert (row.dead, row.ann_dead) == (0, 0)
    assert row.rate == pytest.approx((1 + 2 + 2) / 4 / 2)
    assert report.output == pytest.approx(row.total)


def test_a_first_layer_inherits_nothing_and_its_spikes_are_even():
    ann, (_, _, x, _) = trained("mlp"), digits()
    net, _ = convert.ann_to_snn(ann, [x], num_steps=16)
    first, second = convert.report(ann, net, x)
    assert first.unevenness == first.inherited == 0
    assert second.unevenness > 0 and second.inherited > 0
    assert second.total <= sum(
        (second.clipping, second.quantisation, second.unevenness, second.inherited)
    )


def test_more_steps_leave_less_to_rounding_and_nothing_clipped_stays_so():
    ann, (_, _, x, _) = trained("mlp"), digits()
    net, _ = convert.ann_to_snn(ann, [x], normalise="max")
    few, many = (convert.report(ann, net, x, num_steps=steps) for steps in (8, 64))
    for a, b in zip(few, many, strict=True):
        assert 6 < a.quantisation / b.quantisation < 10
        assert a.clipping == b.clipping == 0
    assert few.output > 4 * many.output


def test_neurons_that_never_fire_are_dead():
    ann = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    ann[0].bias.data = torch.tensor([5.0, 5.0, -50.0, 5.0])
    x = torch.rand(10, 3)
    _, report = convert.ann_to_snn(ann, [x])
    (row,) = report
    assert row.dead == row.ann_dead == 0.25


def test_layers_have_the_names_of_the_model_and_are_printed():
    ann, x = trained("cnn"), digits()[2]
    _, report = convert.ann_to_snn(ann, [x], num_steps=8)
    assert [row.name for row in report] == ["relu", "relu_1"]
    text = str(report)
    assert "8 steps" in text and "uneven" in text and "relu_1" in text


def test_another_model_is_refused():
    net, _ = convert.ann_to_snn(mlp(0), [torch.rand(5, 12)])
    other = nn.Sequential(nn.Linear(12, 5), nn.ReLU())
    with pytest.raises(convert.ConversionError, match="pass the model that it was made of"):
        convert.report(other, net, torch.rand(5, 12))
