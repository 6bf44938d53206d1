"""Forward propagation through time."""

import copy

import pytest
import torch

from bitspike.learning import online


def parameter(*values):
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))


def test_three_steps_by_hand():
    """ℓ = Φ²/2, α = .5, learning rate .1."""
    weight = parameter(1.0)
    fptt = online.FPTT(torch.optim.SGD([weight], lr=0.1), alpha=0.5)
    # Φ = .9, λ = .05, Φ̄ = .9; then .815, .0925, .765; then .74025, .104875, .64775.
    for wanted in (0.9, 0.815, 0.74025):
        fptt.zero_grad()
        (weight.square().sum() / 2).backward()
        fptt.step()
        assert weight.item() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_without_regulariser_it_is_the_optimiser(alpha):
    weights = [parameter(1.0, -2.0, 0.5) for _ in range(2)]
    plain = torch.optim.Adam([weights[0]], lr=0.1)
    fptt = online.FPTT(torch.optim.Adam([weights[1]], lr=0.1), alpha=alpha)
    for _ in range(5):
        for weight, optimizer in zip(weights, (plain, fptt), strict=True):
            optimizer.zero_grad()
            (weight - 3).pow(4).sum().backward()
            optimizer.step()
    assert torch.equal(*weights) == (alpha == 0)


def test_it_finds_the_minimum_of_a_quadratic():
    weight = parameter(5.0, -5.0)
    fptt = online.FPTT(torch.optim.SGD([weight], lr=0.2), alpha=0.5)
    for _ in range(400):
        fptt.zero_grad()
        ((weight - torch.tensor([1.0, 2.0])).square().sum() / 2).backward()
        fptt.step()
    assert weight.tolist() == pytest.approx([1, 2], abs=1e-6)


def test_it_goes_on_where_it_was():
    weight = parameter(1.0, -2.0)
    fptt = online.FPTT(torch.optim.SGD([weight], lr=0.1, momentum=0.9), alpha=0.5)

    def step(weight, fptt):
        fptt.zero_grad()
        weight.square().sum().backward()
        fptt.step()

    step(weight, fptt)
    saved, other = copy.deepcopy(fptt.state_dict()), parameter(*weight.tolist())
    again = online.FPTT(torch.optim.SGD([other], lr=0.1, momentum=0.9), alpha=0.5)
    again.load_state_dict(saved)
    for _ in range(3):
        step(weight, fptt)
        step(other, again)
    assert torch.equal(weight, other)
    with pytest.raises(ValueError, match="other parameters"):
        online.FPTT(torch.optim.SGD([parameter(1.0)], lr=0.1)).load_state_dict(saved)
    with pytest.raises(ValueError, match="alpha must not be negative"):
        online.FPTT(torch.optim.SGD([other], lr=0.1), alpha=-1.0)
