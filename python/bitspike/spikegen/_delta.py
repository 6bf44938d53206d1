"""Delta modulation: spikes where the data changes."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.one_call import one_call

from ._data import floating
from ._train import spike_train


@one_call
def delta(
    data: Tensor,
    threshold: float = 0.1,
    padding: bool = False,
    off_spike: bool = False,
    num_steps: int | None = None,
    *,
    packed: bool = False,
) -> Tensor:
    """Delta modulation: a spike where a value grows by the threshold or more from step to step.

    ``S[t] = 1`` if ``data[t] - data[t-1] >= threshold``; with ``off_spike`` also ``S[t] = -1`` if
    ``data[t] - data[t-1] <= -threshold``. A pixel of an event camera works alike (Lichtsteiner,
    Posch & Delbruck, 2008, IEEE J. Solid-State Circuits 43).

    Args:
        data: ``[T, *]``, any real dtype.
        threshold: The smallest change that makes a spike.
        padding: What precedes the first step: itself, so that it is silent, instead of zeros.
        off_spike: Whether a fall makes a spike ``-1``.
        num_steps: ``T``, if given; it is checked and changes nothing.
        packed: Return a `SpikeTensor`.

    Returns:
        Spikes ``[T, *]``, in the dtype of the data (float32 for integers). No gradient flows to
        the data.

    Raises:
        ValueError: if ``data`` has no axis, if ``num_steps`` is not its first size, or for
            ``packed`` with ``off_spike``, as a bit has no sign.

    Example:
        >>> snn.spikegen.delta(torch.tensor([1.0, 2.0, 2.5, 1.0]), threshold=1, off_spike=True)
        tensor([ 1.,  1.,  0., -1.])
    """
    data = floating(data, packed=packed and not off_spike)
    if data.dim() == 0:
        raise ValueError("data must have an axis of time, but is a single value")
    if num_steps is not None and num_steps != data.shape[0]:
        raise ValueError(
            f"num_steps is {num_steps}, but data {tuple(data.shape)} has {data.shape[0]} steps"
        )
    if packed and off_spike:
        raise ValueError("packed spikes have no sign: off_spike must not be given with packed")
    first = data[:1]
    change = torch.diff(data, dim=0, prepend=first if padding else torch.zeros_like(first))
    on = change >= threshold
    if off_spike:
        return on.to(data.dtype) - (change <= -threshold).to(data.dtype)
    return spike_train(on, data.dtype, packed)
