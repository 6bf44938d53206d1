"""Calls of rules of plasticity, and of synapses with short-term plasticity."""

import copy

import torch
from outcome import Use
from torch import nn

from bitspike import plasticity
from bitspike.plasticity import RewardRule, SynapticRule, TsodyksMakram

T, B, N, M = 3, 2, 4, 2
PRE = ((torch.arange(T * B * N) * 7 % 5) < 2).float().view(T, B, N)
POST = ((torch.arange(T * B * M) * 3 % 4) < 2).float().view(T, B, M)
FC = nn.Linear(N, M)
with torch.no_grad():
    FC.weight.copy_(torch.linspace(0, 1, N * M).view(M, N))
SIDES = "in_spike|out_spike|traces|input of synapse"


def learned(in_spike=PRE, out_spike=POST, state=None):
    """What a rule makes of records."""
    synapse = copy.deepcopy(FC)
    rule = plasticity.STDP().attach(synapse)
    if state is not None:
        rule.load_state_dict({"pre": state})
    rule.record(in_spike, out_spike)
    rule.step(on_grad=True)
    return synapse.weight.grad


def rewarded(reward):
    synapse = copy.deepcopy(FC)
    rule = plasticity.MSTDP().attach(synapse)
    rule.record(PRE, POST)
    rule.step(reward, on_grad=True)
    return synapse.weight.grad


def released(method, spikes):
    return method(copy.copy(SHORT_TERM), spikes)


def made(**constants):
    return TsodyksMakram(N, **constants, multi_step=True)(PRE)


SHORT_TERM = TsodyksMakram(N, multi_step=True)
CONSTANTS = {"U": torch.linspace(0.25, 0.75, N), "tau_f": torch.ones(N), "tau_d": torch.ones(N)}
# Constants are of the default dtype and device, and read when they are given.
GIVEN = ("default float64", "default bfloat16", "default device", "vmap", "func.grad")

PLASTICITY = [
    Use(SynapticRule.record, "in_spike", PRE, lambda x: learned(in_spike=x), SIDES),
    Use(SynapticRule.record, "out_spike", POST, lambda x: learned(out_spike=x), SIDES),
    Use(
        SynapticRule.load_state_dict,
        "state",
        PRE[0],
        lambda x: learned(state=x),
        "pre|traces",
    ),
    Use(RewardRule.step, "reward", torch.tensor([1.0, -0.5]), rewarded),
    *(
        Use(method, "spikes", PRE, lambda x, method=method: released(method, x))
        for method in (TsodyksMakram.forward, TsodyksMakram.run_sequence)
    ),
    *(
        Use(
            TsodyksMakram.__init__,
            name,
            value,
            lambda x, name=name: made(**{name: x}),
            without=GIVEN,
        )
        for name, value in CONSTANTS.items()
    ),
]
