"""Calls of converted networks and their parts."""

import copy

import torch
from outcome import OF_A_MODEL, Use
from torch import nn

from bitspike import convert

B, N, T = 3, 4, 5
SAMPLES = (torch.arange(B * N) * 5 % 8 / 8).view(B, N)
MAPS = (torch.arange(T * B * 16) * 7 % 5 < 2).float().view(T, B, 1, 4, 4)


class Joined(nn.Module):
    """A residual, for a block."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(N, N), nn.Linear(N, N)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return torch.relu(x + self.second(x))


ANN = Joined()
with torch.no_grad():
    for parameter in ANN.parameters():
        parameter.copy_(torch.linspace(-0.5, 1, parameter.numel()).view_as(parameter))
RATES, _ = convert.ann_to_snn(ANN, [SAMPLES], num_steps=T)
TIMES = convert.ann_to_ttfs(ANN, [SAMPLES], dt=1 / 16)
(BLOCK,) = (layer for layer in RATES.net if isinstance(layer, convert.Block))
SPIKES = (torch.arange(T * B * N) * 7 % 11 < 5).float().view(T, B, N)
MODEL = rf"{OF_A_MODEL}|inference|input"

# Thresholds were chosen, and weights made, outside: they have one dtype, and are no fakes.
RUNS = ("fake", "func.grad", "of a graph", "leaf", "parameter")
DTYPES = ("bool", "int8", "uint8", "uint16", "int64", "float64", "bfloat16", "float16")
OF_RUNS = (*DTYPES, *RUNS)


def run(module, x, method="forward"):
    """What a copy of a module returns."""
    return getattr(copy.deepcopy(module), method)(x)


def numbers(report):
    """The errors of a report."""
    return [torch.tensor([row.total for row in report], dtype=torch.float32, device="cpu")]


def pool():
    """A pool that has seen nothing."""
    return convert.RateMaxPool(nn.MaxPool2d(2))


QCFS = convert.QCFS(4, limit=1.0)
CONVERSION = [
    Use(convert.QCFS.forward, "x", SAMPLES, lambda x: QCFS(x)),
    Use(convert.RateMaxPool.forward, "x", MAPS[0], lambda x: pool()(x)),
    Use(convert.RateMaxPool.run_sequence, "x", MAPS, lambda x: pool().run_sequence(x)),
    Use(convert.Block.forward, "x", SPIKES[0], lambda x: run(BLOCK, x), MODEL, without=OF_RUNS),
    Use(
        convert.Block.run_sequence,
        "x",
        SPIKES,
        lambda x: run(BLOCK, x, "run_sequence"),
        MODEL,
        without=OF_RUNS,
    ),
    Use(convert.RateNetwork.forward, "x", SAMPLES, lambda x: run(RATES, x), MODEL, without=OF_RUNS),
    Use(
        convert.RateNetwork.over_time,
        "x",
        SAMPLES,
        lambda x: run(RATES, x, "over_time"),
        MODEL,
        without=OF_RUNS,
    ),
    Use(
        convert.report,
        "x",
        SAMPLES,
        lambda x: numbers(convert.report(ANN, RATES, x)),
        MODEL,
        without=OF_RUNS,
    ),
    Use(
        convert.LatencyNetwork.forward,
        "x",
        SAMPLES,
        lambda x: run(TIMES, x),
        MODEL,
        without=OF_RUNS,
    ),
    Use(
        convert.LatencyNetwork.times,
        "x",
        SAMPLES,
        lambda x: list(run(TIMES, x, "times").values()),
        MODEL,
        without=OF_RUNS,
    ),
    Use(
        convert.LatencyNetwork.bound,
        "x",
        SAMPLES,
        lambda x: run(TIMES, x, "bound"),
        MODEL,
        without=(*OF_RUNS, "meta"),  # its shape is all that counts
    ),
]
