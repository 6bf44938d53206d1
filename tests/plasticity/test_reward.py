"""Rewards: what they pay for, and when."""

import math

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import plasticity
from helpers.compare import error, same_bits

STEPS, BATCH, INPUTS, OUTPUTS = 20, 3, 6, 4
TAUS = (5.0, 8.0)


def raster():
    pre = (torch.rand(STEPS, BATCH, INPUTS) < 0.3).double()
    post = (torch.rand(STEPS, BATCH, OUTPUTS) < 0.3).double()
    assert pre.any() and post.any() and not pre.all() and not post.all()
    return pre, post


def worth(pre, post, amplitudes=(1.0, 0.6)):
    """``ξ`` of every step and sample, by the definition."""
    x = y = 0.0
    found = []
    for s, fired in zip(pre, post, strict=True):
        x = x * math.exp(-1 / TAUS[0]) + s
        y = y * math.exp(-1 / TAUS[1]) + fired
        rises = amplitudes[0] * fired.unsqueeze(2) * x.unsqueeze(1)
        found.append(rises - amplitudes[1] * y.unsqueeze(2) * s.unsqueeze(1))
    return torch.stack(found)


def late(xi, lag):
    return torch.cat([torch.zeros_like(xi[:lag]), xi[: len(xi) - lag]])


def paid(rule, pre, post, reward):
    fc = nn.Linear(INPUTS, OUTPUTS).double()
    rule.attach(fc)
    rule.record(pre, post)
    rule.step(reward=reward, on_grad=True)
    return -fc.weight.grad


REWARDS = {
    "number": 0.5,
    "samples": torch.tensor([1.0, 0.0, -2.0]),
    "steps": torch.linspace(-1, 1, STEPS).view(STEPS, 1),
    "both": torch.linspace(-1, 1, STEPS * BATCH).view(STEPS, BATCH),
}


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("case", REWARDS)
def test_a_reward_pays_for_one_step(case, lag):
    pre, post = raster()
    rule = plasticity.MSTDP(*TAUS, 1.0, 0.6, bound="none", lag=lag)
    found = paid(rule, pre, post, REWARDS[case])
    rewards = torch.as_tensor(REWARDS[case], dtype=torch.float64).expand(STEPS, BATCH)
    wanted = torch.einsum("tb,tbij->ij", rewards, late(worth(pre, post), lag))
    assert error(found, wanted) < 1e-10
    other = torch.einsum("tb,tbij->ij", rewards, late(worth(pre, post), 1 - lag))
    assert error(found, other) > 1e-3


def by_eligibility(pre, post, rewards, lag=1, tau_z=4.0, share=0.25):
    z = total = 0.0
    for reward, xi in zip(rewards, late(worth(pre, post), lag), strict=True):
        z = z * math.exp(-1 / tau_z) + xi * share
        total = total + torch.einsum("b,bij->ij", reward, z)
    return total


SPARSE = torch.zeros(STEPS, 1).index_fill(0, torch.tensor([0, 7, 13]), 2.0)


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("case", ["number", "steps", "sparse", "samples", "both"])
def test_a_reward_pays_for_the_past(case, norm, lag):
    pre, post = raster()
    reward = SPARSE if case == "sparse" else REWARDS[case]
    options = dict(bound="none", lag=lag, norm=norm, per_sample=case in ("samples", "both"))
    found = paid(plasticity.MSTDPET(*TAUS, 4.0, 1.0, 0.6, **options), pre, post, reward)
    rewards = torch.as_tensor(reward, dtype=torch.float64).expand(STEPS, BATCH)
    wanted = by_eligibility(pre, post, rewards, lag, share=0.25 if norm else 1.0)
    assert error(found, wanted) < 1e-10
    assert error(found, by_eligibility(pre, post, rewards, 1 - lag)) > 1e-3


def test_a_short_memory_is_none():
    pre, post = raster()
    forgets = plasticity.MSTDPET(*TAUS, 1e-3, bound="none", norm=False)
    remembers = plasticity.MSTDPET(*TAUS, 4.0, bound="none", norm=False)
    wanted = paid(plasticity.MSTDP(*TAUS, bound="none"), pre, post, REWARDS["steps"])
    assert error(paid(forgets, pre, post, REWARDS["steps"]), wanted) < 1e-10
    assert error(paid(remembers, pre, post, REWARDS["steps"]), wanted) > 1e-3


def test_dopamine_lasts():
    pre, post = raster()
    rule = plasticity.DopamineSTDP(*TAUS, tau_c=4.0, tau_d=6.0, A_minus=0.6, bound="none")
    pulses = SPARSE.double()
    level, levels = 0.0, []
    for pulse in pulses:
        level = level * math.exp(-1 / 6) + pulse
        levels.append(level)
    levels = torch.stack(levels).expand(STEPS, BATCH)
    found = paid(rule, pre, post, pulses)
    assert error(found, by_eligibility(pre, post, levels, 0, share=1.0)) < 1e-10
    assert error(found, by_eligibility(pre, post, pulses.expand(STEPS, BATCH), 0, share=1.0)) > 1e-3


RULES = {
    "mstdp": lambda: plasticity.MSTDP(*TAUS),
    "without lag": lambda: plasticity.MSTDP(*TAUS, lag=0),
    "mstdpet": lambda: plasticity.MSTDPET(*TAUS, 4.0),
    "dopamine": lambda: plasticity.DopamineSTDP(*TAUS, tau_c=4.0, tau_d=6.0),
}


def layer(dtype=torch.float64):
    fc = nn.Linear(INPUTS, OUTPUTS).to(dtype)
    nn.init.constant_(fc.weight, 0.5)
    return fc


@pytest.mark.parametrize("rule", RULES)
def test_a_sequence_is_its_steps_and_bits_are_numbers(rule):
    pre, post = raster()
    results = []
    for how in ("steps", "sequence", "packed", "restored"):
        fc, learns = layer(), RULES[rule]()
        learns.attach(fc)
        rewards = torch.linspace(-1, 1, STEPS).view(STEPS, 1)
        if how in ("steps", "restored"):
            for t, pair in enumerate(zip(pre, post, strict=True)):
                learns.record(*pair)
                learns.step(rewards[t].item(), lr=0.05)
                if how == "restored" and t == 8:
                    state, learns = learns.state_dict(), RULES[rule]().attach(fc)
                    learns.load_state_dict(state)
        else:
            sides = (pre, post)
            if how == "packed":
                sides = tuple(snn.SpikeTensor.from_dense(x) for x in sides)
            learns.record(*sides)
            learns.step(rewards, lr=0.05)
        assert fc.weight.min() >= 0 and fc.weight.max() <= 1
        results.append(fc.weight.detach().clone())
    assert error(results[0], layer().weight) > 1e-3
    assert all(error(other, results[0]) < 1e-10 for other in results[1:])
    assert same_bits(results[3], results[0]) and same_bits(results[2], results[1])


@pytest.mark.parametrize("rule", RULES)
def test_convolutions(rule):
    conv = nn.Conv2d(2, 4, 3, padding=1)
    nn.init.constant_(conv.weight, 0.5)
    learns = RULES[rule]().attach(conv)
    for _ in range(2):
        fired = (torch.rand(5, 2, 4, 6, 6) < 0.3).float()
        learns.record((torch.rand(5, 2, 2, 6, 6) < 0.3).float(), fired)
        learns.step(1.0, lr=1e-4)
    assert conv.weight.std() > 0 and conv.weight.min() >= 0 and conv.weight.max() <= 1


def test_wrong_uses():
    fc, (pre, post) = layer(), raster()
    rule = plasticity.MSTDPET(*TAUS).attach(fc)
    rule.record(pre, post)
    with pytest.raises(ValueError, match=r"MSTDPET learns from a reward: call step\(reward=...\)"):
        rule.step()
    with pytest.raises(ValueError, match=r"MSTDPET: samples share .* per_sample=True keeps one"):
        rule.step(torch.tensor([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match=r"reward must be a number, \[B\] or .* not \[7\]"):
        rule.step(torch.ones(7))
    with pytest.raises(ValueError, match="MSTDP: bound must be 'hard' or 'none', because"):
        plasticity.MSTDP(bound="soft")
    with pytest.raises(ValueError, match="MSTDP: lag must be 0 or 1 steps, not 2"):
        plasticity.MSTDP(lag=2)
    with pytest.raises(ValueError, match="MSTDPET: tau_z must be a positive number"):
        plasticity.MSTDPET(tau_z=0.0)
    samples = plasticity.MSTDPET(*TAUS, per_sample=True).attach(fc)
    samples.record(pre, post)
    samples.step(1.0)
    samples.record(pre[:, :2], post[:, :2])
    with pytest.raises(ValueError, match=r"MSTDPET: the traces belong to \[3, 6\].*call reset"):
        samples.step(1.0)
