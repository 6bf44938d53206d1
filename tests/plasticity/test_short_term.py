"""Synapses that tire and facilitate."""

import math

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import plasticity
from helpers.compare import error, same_bits


def settled(U, tau_f, tau_d, period):
    """Release and resources of a regular train, from the fixed point of one period."""
    u = U / (1 - (1 - U) * math.exp(-period / tau_f))
    x = (1 - math.exp(-period / tau_d)) / (1 - (1 - u) * math.exp(-period / tau_d))
    return u, x


@pytest.mark.parametrize("U, tau_f, tau_d", [(0.5, 200.0, 800.0), (0.1, 600.0, 50.0)])
def test_a_regular_train_settles(U, tau_f, tau_d):
    period = 50
    synapse = plasticity.TsodyksMakram(1, U, tau_f, tau_d, multi_step=True).double()
    spikes = torch.zeros(100 * period, 1, 1, dtype=torch.float64)
    spikes[::period] = 1
    out = synapse(spikes).flatten()
    u, x = settled(U, tau_f, tau_d, period)
    assert out[-period].item() == pytest.approx(u * x, rel=1e-6)
    assert (out != 0).sum() == 100
    if U == 0.5:  # steps of 1 ms, 20 Hz
        assert (u, x) == pytest.approx((0.8188672136, 0.0730102527), rel=1e-9)
        assert out[-period].item() == pytest.approx(0.0597857022, rel=1e-6)
        assert out[period] < out[0]
    else:
        assert out[period] > out[0]


def test_gradients():
    spikes = (torch.rand(12, 2, 3) < 0.4).double()
    parameters = [torch.rand(3, dtype=torch.float64) * 0.5 + 0.2, *(torch.rand(2, 3).double() + 2)]
    leaves = [p.requires_grad_() for p in parameters]

    def run(*values):
        synapse = plasticity.TsodyksMakram(3, *(v.detach() for v in values), multi_step=True)
        for name, value in zip(("U", "tau_f", "tau_d"), values, strict=True):
            del synapse._buffers[name]
            setattr(synapse, name, value)
        return synapse(spikes)

    assert torch.autograd.gradcheck(run, leaves)


def test_steps_are_a_sequence_and_bits_are_numbers():
    spikes = (torch.rand(15, 2, 70) < 0.4).float()
    sequence = plasticity.TsodyksMakram(70, multi_step=True)
    whole = sequence(spikes)
    single = plasticity.TsodyksMakram(70)
    assert same_bits(torch.stack([single(step) for step in spikes]), whole)
    packed = plasticity.TsodyksMakram(70, multi_step=True)
    assert same_bits(packed(snn.SpikeTensor.from_dense(spikes)), whole)
    assert not torch.equal(sequence(spikes), whole)  # its state goes on
    snn.utils.reset(sequence)
    assert same_bits(sequence(spikes), whole)
    net = nn.Sequential(plasticity.TsodyksMakram(70), nn.Linear(70, 3))
    out = snn.unroll(net, spikes)
    torch.testing.assert_close(out, net[1](whole))


def test_it_learns_its_constants():
    """A synapse that depresses becomes one that facilitates, by its gradient."""
    spikes = torch.zeros(60, 1, 1)
    spikes[::6] = 1
    wanted = plasticity.TsodyksMakram(1, 0.1, 40.0, 3.0, multi_step=True)(spikes)
    synapse = plasticity.TsodyksMakram(1, 0.5, 10.0, 10.0, learn=True, multi_step=True)
    optimiser = torch.optim.Adam(synapse.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        snn.utils.reset(synapse)
        loss = (synapse(spikes) - wanted).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert set(synapse.state_dict()) == {"U", "tau_f", "tau_d"}


def test_a_hand_computed_trace():
    synapse = plasticity.TsodyksMakram(1, 0.5, math.inf, math.inf, A=2.0, multi_step=True)
    out = synapse(torch.tensor([1.0, 0.0, 1.0]).view(3, 1, 1)).flatten()
    # u: 0.5, 0.75; x before the spikes: 1, 0.5
    assert out.tolist() == [1.0, 0.0, 0.75]
    assert error(synapse.x.flatten(), torch.tensor([0.125])) < 1e-6


def test_wrong_uses():
    for options, complaint in (
        ({"U": 1.5}, r"U must lie in \[0, 1\], not 1.5"),
        ({"tau_f": 0.0}, "tau_f must be a positive number of steps, not 0.0"),
        ({"tau_d": torch.ones(3)}, r"tau_d must be a number or \[2\], not \[3\]"),
    ):
        with pytest.raises(ValueError, match=complaint):
            plasticity.TsodyksMakram(2, **options)
    with pytest.raises(ValueError, match=r"spikes must be \[B, 2\] at each step, not \[1, 3\]"):
        plasticity.TsodyksMakram(2)(torch.zeros(1, 3))
