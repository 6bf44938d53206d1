"""Rules of rates: principal components, selectivity, and what they add up to."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import plasticity
from helpers.compare import error, same_bits


def linear(inputs, outputs=1, dtype=torch.float64):
    fc = nn.Linear(inputs, outputs, bias=False).to(dtype)
    nn.init.uniform_(fc.weight, -0.3, 0.3)
    return fc


def fitted(rule, samples, outputs=1, rounds=40, rate=4.0):
    """A linear neuron that has learned from all samples at a time, more and more slowly."""
    fc = linear(samples.shape[1], outputs)
    rule.attach(fc, fc)
    for i in range(rounds):
        with torch.no_grad():
            fc(samples)
        rule.step(lr=rate / len(samples) / (1 + i / rounds))
    return fc.weight.detach()


def data():
    mixed = torch.randn(300, 5, dtype=torch.float64) * torch.tensor([1.0, 0.6, 0.35, 0.2, 0.1])
    rotation = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64)).Q
    samples = mixed @ rotation
    vectors = torch.linalg.eigh(samples.t() @ samples).eigenvectors.flip(1).t()
    return samples, vectors


def angle(a, b):
    return (1 - (a @ b / a.norm() / b.norm()) ** 2).clamp(min=0).sqrt().item()


def test_oja_finds_the_first_component():
    samples, vectors = data()
    found = fitted(plasticity.Oja(), samples, rounds=100, rate=0.8)
    assert angle(found[0], vectors[0]) < 1e-3 and abs(found.norm().item() - 1) < 1e-6
    without = fitted(plasticity.Hebb(), samples, rounds=20, rate=0.8)
    assert without.norm() > 10  # without its decay nothing holds the weights


def test_sanger_finds_them_in_order_and_the_subspace_together():
    samples, vectors = data()
    found = fitted(plasticity.Oja("sanger"), samples, 3, rounds=300, rate=0.8)
    assert all(angle(a, b) < 1e-3 for a, b in zip(found, vectors, strict=False))
    found = fitted(plasticity.Oja("subspace"), samples, 3, rounds=300, rate=0.8)
    wanted = vectors[:3].t() @ vectors[:3]
    assert error(found.t() @ found, wanted) < 1e-3
    assert angle(found[0], vectors[0]) > 1e-2


def test_bcm_becomes_selective():
    patterns = torch.tensor([[1.0, 0.2], [0.2, 1.0]], dtype=torch.float64)
    fc = linear(2)
    with torch.no_grad():
        fc.weight.copy_(torch.tensor([[0.5, 0.4]]))
    rule = plasticity.BCM(tau_theta=10.0).attach(fc, fc)
    for _ in range(1000):
        with torch.no_grad():
            fc(patterns.unsqueeze(1))  # one after the other
        rule.step(lr=1e-2)
    y = (patterns @ fc.weight.detach().t()).flatten()
    # Fixed points: y = 0 or y = θ, and θ the mean of y², so that the chosen one gives 2.
    assert y[0].item() == pytest.approx(2.0, abs=0.2) and abs(y[1].item()) < 0.1
    assert rule.state_dict()["theta"].item() == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("y", [0.0, 0.7])
def test_bcm_rests_at_its_fixed_points(y):
    fc = linear(3)
    rule = plasticity.BCM().attach(fc)
    rule.load_state_dict({"theta": torch.full((1,), 0.7, dtype=torch.float64)})
    before = fc.weight.detach().clone()
    rule.record(torch.rand(1, 3), torch.full((1, 1), y, dtype=torch.float64))
    rule.step()
    assert error(fc.weight, before) < 1e-10
    rule.record(torch.rand(1, 3) + 0.5, torch.full((1, 1), 0.4, dtype=torch.float64))
    rule.step()
    assert error(fc.weight, before) > 1e-3


def test_hebb_is_a_sum():
    x, y = torch.rand(7, 2, 5).double(), torch.rand(7, 2, 3).double()
    fc = linear(5, 3)
    rule = plasticity.Hebb().attach(fc)
    rule.record(x, y)
    rule.step(on_grad=True)
    assert error(-fc.weight.grad, torch.einsum("tbi,tbj->ij", y, x)) < 1e-10
    faded = plasticity.Hebb(decay=0.1).attach(fc)
    before = fc.weight.detach().clone()
    faded.record(0 * x, y)
    faded.step(lr=0.5)
    assert error(fc.weight, before * 0.95**7) < 1e-10


RULES = {
    "hebb": lambda: plasticity.Hebb(tau_pre=3.0, tau_post=5.0),
    "oja": plasticity.Oja,
    "sanger": lambda: plasticity.Oja("sanger", tau_post=4.0),
    "bcm": lambda: plasticity.BCM(20.0, tau_post=4.0),
    "scaling": lambda: plasticity.SynapticScaling(0.2),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", ["linear", "conv"])
def test_a_sequence_is_its_steps_and_bits_are_numbers(case, rule, dtype):
    results = []
    shape, fired = ((5,), (3,)) if case == "linear" else ((2, 6, 6), (3, 4, 4))
    x = (torch.rand(9, 2, *shape) < 0.4).to(dtype)
    y = (torch.rand(9, 2, *fired) < 0.4).to(dtype)
    synapse = linear(5, 3, dtype) if case == "linear" else nn.Conv2d(2, 3, 3, dtype=dtype)
    start = synapse.weight.detach().clone()
    for how in ("steps", "sequence", "packed"):
        with torch.no_grad():
            synapse.weight.copy_(start)
        learns = RULES[rule]().attach(synapse)
        if how == "steps":
            for pair in zip(x, y, strict=True):
                learns.record(*pair)
                learns.step(lr=1e-2)
        else:
            pack = snn.SpikeTensor.from_dense if how == "packed" else torch.clone
            learns.record(pack(x), pack(y))
            learns.step(lr=1e-2)
        results.append(synapse.weight.detach().clone())
    assert error(results[0], start) > 1e-4
    assert all(same_bits(results[0], other) for other in results[1:])


def test_wrong_uses():
    with pytest.raises(ValueError, match="form must be one of 'single', 'subspace', 'sanger'"):
        plasticity.Oja("double")
    with pytest.raises(ValueError, match="BCM: tau_theta=0.5 must be at least one step"):
        plasticity.BCM(0.5)
    with pytest.raises(ValueError, match="Hebb: tau_pre must be a positive number of steps"):
        plasticity.Hebb(tau_pre=-1.0)
