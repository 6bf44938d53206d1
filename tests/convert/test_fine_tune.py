"""Training that goes on after conversion."""

import copy

import pytest
import torch
from torch.nn import functional as F

from bitspike import convert
from helpers.rectifiers import digits, mlp, trained


def changed(net, learn, **options):
    """The kinds of parameters that fine-tuning changes, and the losses of its epochs."""
    before = copy.deepcopy(net.state_dict())
    images, labels, *_ = digits()
    batches = list(zip(images[:512].split(64), labels[:512].split(64), strict=True))
    losses = convert.fine_tune(net, batches, learn=learn, **options)
    after = net.state_dict()
    kinds = {
        name.rpartition(".")[2] for name in after if not torch.equal(after[name], before[name])
    }
    return kinds, losses


@pytest.mark.parametrize(
    ("learn", "kinds"),
    [
        ("thresholds", {"threshold"}),
        ("biases", {"bias"}),
        ("all", {"threshold", "bias", "weight"}),
    ],
)
def test_what_shall_be_learned_is_and_nothing_else(learn, kinds):
    net, _ = convert.ann_to_snn(trained("mlp"), [digits()[0][:512]], num_steps=2)
    found, losses = changed(net, learn, epochs=4, lr=3e-3)
    assert found == kinds
    assert losses[-1] < losses[0]
    assert all(parameter.requires_grad for parameter in net.net[:-1].parameters())


def test_maps_are_tuned_too():
    net, _ = convert.ann_to_snn(trained("cnn"), [digits()[0][:256]], num_steps=2)
    found, losses = changed(net, "all", epochs=2)
    assert found == {"threshold", "bias", "weight"} and losses[-1] < losses[0]


def test_few_steps_lose_less_afterwards():
    ann, (images, labels, unseen, _) = trained("mlp"), digits()
    net, _ = convert.ann_to_snn(ann, [images[:512]], normalise="max", num_steps=1)

    def loss():
        with torch.no_grad():
            return float(F.cross_entropy(net(unseen), digits()[3]))

    before = loss()
    batches = list(zip(images.split(64), labels.split(64), strict=True))
    convert.fine_tune(net, batches, epochs=3)
    assert loss() < 0.8 * before


def test_thresholds_stay_positive():
    net, _ = convert.ann_to_snn(trained("mlp"), [digits()[0][:512]], num_steps=2)
    changed(net, "thresholds", lr=10.0)
    assert all((neuron.threshold > 0).all() for neuron in net.neurons().values())


def test_bad_arguments_are_refused():
    net, _ = convert.ann_to_snn(mlp(0), [torch.rand(5, 12)])
    batch = (torch.rand(5, 12), torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ValueError, match="learn must be one of"):
        convert.fine_tune(net, [batch], learn="weights")
    with pytest.raises(TypeError, match="net must be a RateNetwork"):
        convert.fine_tune(mlp(0), [batch])
    with pytest.raises(ValueError, match="no batch to learn from"):
        convert.fine_tune(net, [])
    with pytest.raises(ValueError, match="the loss is not finite"):
        convert.fine_tune(net, [batch], loss=lambda outputs, _: outputs.sum() * torch.inf)
