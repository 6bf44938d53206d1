"""No time is reported for results that differ.

Equal dynamics must give equal spikes: exactly between bitspike and snnTorch. SpikingJelly fires at
``>=`` instead of ``>``, and XLA may contract a multiplication and an addition: there the share of
neuron-steps that flipped is bounded and reported. SpikingJelly resets in the step of the spike,
which no option of snnTorch gives in all cases; it is held against its own rule in plain torch.
"""

import numpy as np
import torch
from torch import Tensor

from peers import Result

# How far gradients may be apart, relative to the norm: float32 sums in other orders, or flips.
SAME_SPIKES = 1e-5
SOME_FLIPS = 1e-2
MOST_FLIPS = 1e-4


class RedGateError(Exception):
    """Two libraries that should compute the same do not."""


def compare(
    ours: Result,
    theirs: Result,
    *,
    exact: bool,
    most_flips: float = MOST_FLIPS,
    same_spikes: float = SAME_SPIKES,
) -> float:
    """Returns the share of flipped spikes, or raises :class:`RedGateError`."""
    flips = (dense(ours.spikes) != dense(theirs.spikes)).float().mean().item()
    if flips > (0 if exact else most_flips):
        raise RedGateError(f"{flips:.2e} of the spikes differ")
    allowed = same_spikes if flips == 0 else SOME_FLIPS
    for index, (a, b) in enumerate(zip(ours.gradients, theirs.gradients, strict=True)):
        error = ((dense(a) - dense(b)).norm() / dense(b).norm()).item()
        if not error <= allowed:
            raise RedGateError(f"gradient {index} differs by {error:.2e}")
    return flips


def dense(values: object) -> Tensor:
    """A result of any library as an ordinary tensor."""
    if hasattr(values, "dense"):
        values = values.dense()
    if isinstance(values, Tensor):
        return values.detach()
    return torch.from_numpy(np.array(values))
