"""Codes by who fires first: a decaying threshold, and the rank alone."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.one_call import one_call

from ._data import floating, rows_and_features
from ._single_spike import single_spikes


@one_call
def time_to_first_spike(
    data: Tensor, num_steps: int, tau: float = 10, threshold: float = 1, *, packed: bool = False
) -> Tensor:
    """Time-to-first-spike coding: each value fires when a decaying threshold has come down to it.

    That is the first step ``t`` with ``x >= θ·exp(-t/τ)`` (Park et al., 2020, DAC: T2FSNN). Smaller
    values than that of the last step never fire.

    Args:
        data: ``[B, *]``, any real dtype.
        num_steps: ``T``.
        tau: ``τ``, in steps.
        threshold: ``θ``, the threshold at step 0.
        packed: Return a `SpikeTensor`, made without floats of every step.

    Returns:
        Spikes ``[T, B, *]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: if ``num_steps``, ``tau`` or ``threshold`` is not positive.

    Example:
        >>> data = torch.tensor([1.0, 0.5, 0.3, 0.0])  # thresholds 1, 0.61, 0.37
        >>> snn.spikegen.time_to_first_spike(data, num_steps=3, tau=2)
        tensor([[1., 0., 0., 0.],
                [0., 0., 0., 0.],
                [0., 1., 0., 0.]])
    """
    for name, value in (("num_steps", num_steps), ("tau", tau), ("threshold", threshold)):
        if not value > 0:
            raise ValueError(f"{name} must be positive, but is {value}")
    data = floating(data, packed=packed)
    time = torch.arange(num_steps, dtype=torch.float64, device=data.device)
    thresholds = threshold * torch.exp(-time / tau)
    # How many thresholds lie above the value; NaN is sorted behind all numbers, and is silent.
    steps = torch.searchsorted(-thresholds, -data.double().contiguous())
    return single_spikes(steps, steps < num_steps, num_steps, data.dtype, packed)


@one_call
def rank_order(data: Tensor, num_steps: int | None = None, *, packed: bool = False) -> Tensor:
    """Rank order coding: the largest value fires at step 0, the next at step 1, and so on.

    Only the order of a sample's values counts, not their size (Thorpe & Gautrais, 1998,
    Computational Neuroscience: Trends in Research). Of equal values the one in front fires first.

    Args:
        data: ``[B, *]``, or ``[N]`` for one sample; any real dtype.
        num_steps: ``T``; later ranks do not fire. By default as many as a sample has values.
        packed: Return a `SpikeTensor`, made without floats of every step.

    Returns:
        Spikes ``[T, B, *]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: if ``num_steps`` is not positive.

    Example:
        >>> snn.spikegen.rank_order(torch.tensor([0.2, 0.9, 0.5]))
        tensor([[0., 1., 0.],
                [0., 0., 1.],
                [1., 0., 0.]])
    """
    dtype, data = floating(data, packed=packed).dtype, as_tensor(data, "data")
    rows, features = rows_and_features(data.shape, has_time=False)
    if num_steps is None:
        num_steps = features.numel()
    elif num_steps <= 0:
        raise ValueError(f"num_steps must be positive, but is {num_steps}")
    flat = data.reshape(*rows, features.numel())
    order = flat.argsort(dim=-1, descending=True, stable=True)
    # The inverse of a permutation: the place of each value in the order.
    steps = order.argsort(-1).reshape(data.shape)
    return single_spikes(steps, steps < num_steps, num_steps, dtype, packed)
