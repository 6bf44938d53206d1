r"""Diagonal state-space models over a sequence, in three ways that agree up to rounding.

.. math::
    h[t] = λ·h[t-1] + b·x[t], \qquad y[t] = \mathrm{Re}(c·h[t]) + D·x[t]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Last = Callable[[], Tensor]
"""Gives the states ``[B, dim, N]`` after the last step."""


class Discrete(NamedTuple):
    """The numbers of the equation, per channel, of ``N`` states each."""

    decays: Tensor
    """``λ``, complex ``[dim, N]``."""
    inputs: Tensor
    """``b``, likewise."""
    outputs: Tensor
    """``c``, likewise."""
    direct: Tensor
    """``D``, ``[dim]``."""


def recurrence(model: Discrete, x: Tensor, initial: Tensor | None) -> tuple[Tensor, Last]:
    """Step after step, for ``x`` ``[T, B, dim]`` and states ``[B, dim, N]`` or None for 0."""
    h = x.new_zeros(()).to(model.decays.dtype) if initial is None else initial
    h = h.expand(*x.shape[1:], model.decays.shape[1])
    read = []
    for step in x.unbind(0):
        h = model.decays * h + model.inputs * step.unsqueeze(-1)
        read.append((model.outputs * h).real.sum(-1) + model.direct * step)
    return torch.stack(read) if read else x, lambda: h


def scan(model: Discrete, x: Tensor, initial: Tensor | None) -> tuple[Tensor, Last]:
    """The states of all steps: each round takes in what lies twice as far back."""
    h = model.inputs * x.unsqueeze(-1)
    if initial is not None:
        h = torch.cat([h[:1] + model.decays * initial, h[1:]])
    reach, factor = 1, model.decays
    while reach < len(x):
        h = torch.cat([h[:reach], h[reach:] + factor * h[:-reach]])
        reach, factor = 2 * reach, factor * factor
    return (model.outputs * h).real.sum(-1) + model.direct * x, lambda: h[-1]


def fft(model: Discrete, x: Tensor, initial: Tensor | None) -> tuple[Tensor, Last]:
    """A convolution with the response to one input."""
    steps = len(x)
    powers = _powers(model.decays, steps)
    kernel = (model.outputs * model.inputs * powers).real.sum(-1)
    # So many steps that the end does not meet the beginning.
    spectrum = torch.fft.rfft(kernel, 2 * steps, 0).unsqueeze(1) * torch.fft.rfft(x, 2 * steps, 0)
    y = torch.fft.irfft(spectrum, 2 * steps, 0)[:steps] + model.direct * x
    if initial is not None:
        read = model.outputs * model.decays * powers
        y = y + torch.einsum("tdn,bdn->tbd", read, initial).real

    def last() -> Tensor:
        h = model.inputs * torch.einsum("tdn,tbd->bdn", powers.flip(0), x.to(powers.dtype))
        return h if initial is None else h + model.decays * powers[-1] * initial

    return y, last


def _powers(decays: Tensor, count: int) -> Tensor:
    """``λ^k`` for ``k`` below ``count``, ``[count, *]``, of few roundings each."""
    powers, factor = torch.ones_like(decays).unsqueeze(0), decays
    while len(powers) < count:
        powers, factor = torch.cat([powers, powers * factor]), factor * factor
    return powers[:count]
