"""Calls of layers in continuous time."""

import copy

import torch
from outcome import Use

from bitspike.learning.exact import EventLIF, EventTensor, FirstSpikeLoss, TTFSLinear

TIMES = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 1.0]])
SPIKES = (torch.arange(24) * 7 % 5 < 2).float().view(4, 2, 3)
LABELS = torch.tensor([1, 0])
LAYER = TTFSLinear(3, 3, tau_mem=10.0, tau_syn=5.0)
with torch.no_grad():
    LAYER.weight.copy_(torch.linspace(1, 6, 9).view(3, 3))
LOSS = FirstSpikeLoss(2.0, 10.0, until=30.0)


def roused(times):
    layer = copy.deepcopy(LAYER)
    layer.rouse(times)
    return layer.weight.detach()


SPIKE_TIMES = [
    Use(
        EventLIF.forward,
        "events",
        TIMES,
        lambda x: EventLIF.forward(LAYER, EventTensor.from_times(x)).times,
        "times",
    ),
    Use(TTFSLinear.forward, "times", TIMES, lambda x: LAYER(x)),
    Use(TTFSLinear.rouse, "times", TIMES, roused),
    Use(FirstSpikeLoss.forward, "times", TIMES, lambda x: LOSS(x, LABELS), "times|targets"),
    Use(FirstSpikeLoss.forward, "targets", LABELS, lambda x: LOSS(TIMES, x)),
    Use(EventTensor.from_times, "times", TIMES, lambda x: EventTensor.from_times(x).times),
    Use(EventTensor.from_spikes, "spikes", SPIKES, lambda x: EventTensor.from_spikes(x, 0.5).times),
]
