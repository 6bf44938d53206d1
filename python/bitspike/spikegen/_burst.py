"""Burst coding: the larger a value, the more spikes and the closer they are."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.one_call import one_call

from ._data import expect_between, floating
from ._train import spike_train


@one_call
def burst(
    data: Tensor,
    num_steps: int,
    max_spikes: int = 5,
    min_interval: int = 2,
    max_interval: int | None = None,
    *,
    packed: bool = False,
) -> Tensor:
    r"""Burst coding: a value fires several times from step 0 on, at equal intervals.

    .. math::
        N(x) = \lceil N_{max}\,x \rceil
        \qquad
        \Delta(x) = \begin{cases}
            \lceil T_{max} - (T_{max} - T_{min})\,x \rceil & N(x) > 1 \\
            T_{max} & \text{otherwise}
        \end{cases}

    and the spikes are at the steps :math:`0, \Delta, \dots, (N-1)\Delta`. A value of 0 is silent.

    Source: Guo et al. (2021), Front. Neurosci. 15:638474.

    Args:
        data: ``[B, *]``, any real dtype, values from 0 to 1.
        num_steps: ``T``; what would come later does not fire.
        max_spikes: ``N_max``.
        min_interval: ``T_min``, in steps.
        max_interval: ``T_max``, in steps. By default the longest with which all bursts fit into
            ``T``.
        packed: Return a `SpikeTensor`.

    Returns:
        Spikes ``[T, B, *]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: if a value lies outside 0 to 1 or another argument is out of its range.

    Example:
        >>> spikes = snn.spikegen.burst(torch.tensor([0.0, 0.2, 0.5, 1.0]), num_steps=13)
        >>> [train.nonzero().flatten().tolist() for train in spikes.T]
        [[], [0], [0, 3, 6], [0, 2, 4, 6, 8]]
    """
    for name, value in (
        ("num_steps", num_steps),
        ("max_spikes", max_spikes),
        ("min_interval", min_interval),
    ):
        if value <= 0:
            raise ValueError(f"{name} must be positive, but is {value}")
    if max_interval is None:
        max_interval = (num_steps - 1) // max(max_spikes - 1, 1)
        if max_interval < min_interval:
            raise ValueError(
                f"num_steps is {num_steps}, too few for {max_spikes} spikes at intervals of "
                f"{min_interval}: give more, or a max_interval to drop late spikes"
            )
    if max_interval < min_interval:
        raise ValueError(f"max_interval is {max_interval}, less than min_interval {min_interval}")
    data = floating(data, packed=packed)
    expect_between(data, 0, 1)
    # In the dtype of the data: in a wider one, 5 times 0.2 would be more than 1.
    counts = (max_spikes * data).ceil().to(torch.int64)
    intervals = (max_interval - (max_interval - min_interval) * data).ceil().to(torch.int64)
    intervals = torch.where(counts > 1, intervals, max_interval)
    steps = torch.arange(num_steps, device=data.device).view(-1, *(1,) * data.dim())
    on = (steps % intervals == 0) & (steps < counts * intervals)
    return spike_train(on, data.dtype, packed)
