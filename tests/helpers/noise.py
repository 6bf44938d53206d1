"""Losses to estimate gradients from, and noise that is given instead of drawn."""

from itertools import product

import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from bitspike.learning.local._perturbation import Perturbation
from helpers.living import CLASSES, B

Y = torch.arange(B) % CLASSES


def classify(net, x, reduction="mean", run=None):
    def closure():
        snn.utils.reset(net)
        return F.cross_entropy((run or nn.Module.__call__)(net, x).mean(0), Y, reduction=reduction)

    return closure


class Generator(torch.Generator):
    """One that can remember what was drawn of it."""


def given_signs(monkeypatch, module, signs):
    """The noise is these signs, in the order in which it is drawn."""

    def generator(self, counter, device):
        return Generator(device).manual_seed(int(self.param_groups[0]["seed"]) + counter)

    def draw(noise, like, generator):
        if not hasattr(generator, "signs"):
            generator.signs = iter(signs)
        return torch.stack([next(generator.signs) for _ in range(like.numel())]).view(like.shape)

    monkeypatch.setattr(Perturbation, "generator", generator)
    monkeypatch.setattr(module, "draw", draw)


def mean_over_all_signs(monkeypatch, module, count, estimate):
    """The mean of what `estimate` makes of the parameters' gradients, over ``2**count`` noises."""
    total = None
    for signs in product((-1.0, 1.0), repeat=count):
        given_signs(monkeypatch, module, [torch.tensor(s, dtype=torch.float64) for s in signs])
        found = estimate()
        total = found if total is None else {name: total[name] + found[name] for name in found}
    return {name: g / 2**count for name, g in total.items()}
