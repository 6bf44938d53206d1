"""What keeps sums of weights and rates of neurons where they should be."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import plasticity
from helpers.compare import error


@pytest.mark.parametrize("synapse", [nn.Linear(6, 3), nn.Conv2d(2, 3, 3)])
def test_sums_are_conserved(synapse):
    nn.init.uniform_(synapse.weight, 0, 1)
    before = synapse.weight.detach().clone()
    plasticity.WeightNormalisation(total=4.0).attach(synapse).step()
    weight = synapse.weight.detach()
    torch.testing.assert_close(weight.flatten(1).sum(1), torch.full((3,), 4.0))
    ratio = (weight / before).flatten(1)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    nn.init.zeros_(synapse.weight)
    plasticity.WeightNormalisation().attach(synapse).step()
    assert not synapse.weight.any()


def driven(rule, rounds, step):
    fc = nn.Linear(30, 4, bias=False)
    nn.init.uniform_(fc.weight, 0.05, 0.4)
    lif = snn.Leaky(beta=0.7, init_hidden=True, multi_step=True)
    rule.attach(*((lif,) if isinstance(rule, plasticity.IntrinsicHomeostasis) else (fc, lif)))
    start, rates = fc.weight.detach().clone(), []
    for _ in range(rounds):
        with torch.no_grad():
            rates.append(lif(fc((torch.rand(20, 4, 30) < 0.2).float())).mean((0, 1)))
        step(rule)
    return torch.stack(rates), fc, lif, start


def test_thresholds_bring_rates_to_their_target():
    rule = plasticity.IntrinsicHomeostasis(rate=0.15)
    rates, _, lif, _ = driven(rule, 100, lambda rule: rule.step(lr=0.05))
    assert (rates[0] - 0.15).abs().max() > 0.1
    torch.testing.assert_close(rates[-50:].mean(0), torch.full((4,), 0.15), atol=0.02, rtol=0)
    assert lif.threshold.shape == (4,) and lif.threshold.std() > 0


def test_scaling_brings_rates_to_their_target_and_keeps_ratios():
    rule = plasticity.SynapticScaling(rate=0.15)
    rates, fc, _, start = driven(rule, 100, lambda rule: rule.step(lr=0.02))
    assert (rates[0] - 0.15).abs().max() > 0.1
    torch.testing.assert_close(rates[-50:].mean(0), torch.full((4,), 0.15), atol=0.02, rtol=0)
    assert error(fc.weight, start) > 0.1
    assert error(fc.weight / fc.weight[:, :1], start / start[:, :1]) < 1e-4


def test_maps_have_a_threshold_for_each_channel():
    lif = snn.Leaky(beta=0.5, init_hidden=True)
    rule = plasticity.IntrinsicHomeostasis(rate=0.1, minimum=0.95).attach(lif)
    current = torch.zeros(2, 3, 4, 4)
    current[:, 0] = 2.0
    lif(current)
    rule.step(lr=1.0)
    torch.testing.assert_close(lif.threshold.flatten(), torch.tensor([1.9, 0.95, 0.95]))
    assert lif.threshold.shape == (3, 1, 1)
    assert lif(current).shape == current.shape


def test_learned_thresholds_stay_parameters():
    lif = snn.Leaky(beta=0.5, threshold=torch.ones(3), learn_threshold=True, init_hidden=True)
    rule = plasticity.IntrinsicHomeostasis(rate=0.1).attach(lif)
    lif(torch.full((1, 3), 2.0))
    rule.step(lr=1.0)
    assert isinstance(lif.threshold, nn.Parameter)
    torch.testing.assert_close(lif.threshold.data, torch.full((3,), 1.9))


def test_wrong_uses():
    with pytest.raises(ValueError, match="WeightNormalisation: total=0.0 must be positive"):
        plasticity.WeightNormalisation(0.0)
    rule = plasticity.WeightNormalisation().attach(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"has neither lr nor on_grad: call step\(\)"):
        rule.step(lr=0.1)
    with pytest.raises(ValueError, match="SynapticScaling: rate=0.0 must be positive"):
        plasticity.SynapticScaling(0.0)
    with pytest.raises(ValueError, match="IntrinsicHomeostasis: rate=0 must be positive"):
        plasticity.IntrinsicHomeostasis(0)
    rule = plasticity.IntrinsicHomeostasis(0.1)
    with pytest.raises(RuntimeError, match=r"has no neuron: call attach\(neuron\) first"):
        rule.step()
    with pytest.raises(TypeError, match="must have a threshold, .* and ReLU has none"):
        rule.attach(nn.ReLU())
    lif = snn.Leaky(beta=0.5, learn_threshold=True, init_hidden=True)
    rule.attach(lif)
    with pytest.raises(RuntimeError, match="IntrinsicHomeostasis is attached already"):
        rule.attach(lif)
    lif(torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"one value for each neuron: threshold=torch.ones\(\[3\]"):
        rule.step()
