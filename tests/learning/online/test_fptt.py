"""Forward propagation through time."""

import copy

import pytest
import torch

import bitspike as snn
from bitspike import utils
from bitspike.learning import online
from helpers.compare import same_bits
from helpers.online import lively_task, network


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


def advance(optimizer, loss, anew):
    """A step on what ``loss()`` returns; ``anew`` evaluates it again after the update."""

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    if anew:
        return optimizer.step(closure)
    closure()
    return optimizer.step()


def test_three_steps_that_evaluate_the_gradient_anew_by_hand():
    """ℓ = Φ²/2, α = .5, learning rate .1."""
    weight = parameter(1.0)
    fptt = online.FPTT(torch.optim.SGD([weight], lr=0.1), alpha=0.5)
    # g = 1, Φ = λ = .9, Φ̄ = .05; then .875, .8125, -.38125; then 1.003125, .7121875.
    losses = []
    for wanted in (0.9, 0.8125, 0.7121875):
        losses.append(advance(fptt, lambda: weight.square().sum() / 2, anew=True).item())
        assert weight.item() == pytest.approx(wanted, abs=1e-12)
    assert losses == pytest.approx([0.5, 0.9**2 / 2, 0.8125**2 / 2])


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_without_regulariser_it_is_the_optimiser(alpha, anew):
    """In updates once a sequence, by backpropagation through all of it."""
    torch.manual_seed(0)
    nets = [network(snn.Leaky(0.8, init_hidden=True))]
    nets.append(copy.deepcopy(nets[0]))
    x, costs = lively_task(nets[0])
    plain, wrapped = (torch.optim.Adam(net.parameters(), lr=0.01) for net in nets)
    fptt = online.FPTT(wrapped, alpha)
    for _ in range(3):
        for net, optimizer in zip(nets, (plain, fptt), strict=True):

            def loss(net=net):
                utils.reset(net)
                return sum((net(step) * cost).sum() for step, cost in zip(x, costs, strict=True))

            advance(optimizer, loss, anew and optimizer is not plain)
    pairs = zip(*(net.parameters() for net in nets), strict=True)
    assert all(same_bits(*pair) for pair in pairs) == (alpha == 0)


@pytest.mark.parametrize("anew", [False, True])
def test_it_finds_the_minimum_of_a_quadratic(anew):
    weight = parameter(5.0, -5.0)
    fptt = online.FPTT(torch.optim.SGD([weight], lr=0.2), alpha=0.5)
    goal = torch.tensor([1.0, 2.0])
    for _ in range(400):
        advance(fptt, lambda: (weight - goal).square().sum() / 2, anew)
    assert weight.tolist() == pytest.approx([1, 2], abs=1e-6)


@pytest.mark.parametrize("known", [True, False])
def test_both_gradients_of_some_steps_start_from_the_same_states(known):
    torch.manual_seed(0)
    net = network(snn.Leaky(0.8, init_hidden=True))
    x, costs = lively_task(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    fptt = online.FPTT(optimizer, alpha=0.5, net=net if known else None)
    starts, ends = [], []
    for steps, cost in zip(x.split(4), costs.split(4), strict=True):

        def loss(steps=steps, cost=cost):
            utils.detach(net)
            starts.append(net[1].mem.clone())
            result = sum((net(step) * c).sum() for step, c in zip(steps, cost, strict=True))
            ends.append(net[1].mem.detach().clone())
            return result

        advance(fptt, loss, anew=True)
        assert torch.equal(starts[-2], starts[-1]) == known
        # The network goes on from what its outputs came from.
        assert torch.equal(net[1].mem, ends[-2]) == known


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
