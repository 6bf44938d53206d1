"""Phase coding: the binary digits of a value, one after the other."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.one_call import one_call

from ._data import expect_between, floating
from ._train import spike_train


@one_call
def phase(data: Tensor, num_steps: int, period: int = 8, *, packed: bool = False) -> Tensor:
    """Phase coding: step ``t`` fires if digit ``k = t mod period`` of the binary fraction is 1.

    A spike of phase ``k`` weighs ``2^-(k+1)``, so that the spikes of one period add up to the
    value, rounded down to ``period`` digits (Kim et al., 2018, Neurocomputing 311); a value of 1
    becomes ``1 - 2^-period``.

    Args:
        data: ``[B, *]``, any real dtype, values from 0 to 1.
        num_steps: ``T``.
        period: Digits, from 1 to 24.
        packed: Return a `SpikeTensor`.

    Returns:
        Spikes ``[T, B, *]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: if a value lies outside 0 to 1 or another argument is out of its range.

    Example:
        >>> snn.spikegen.phase(torch.tensor([0.625, 0.25]), num_steps=3, period=3)  # 0.101, 0.010
        tensor([[1., 0.],
                [0., 1.],
                [1., 0.]])
    """
    if num_steps <= 0:
        raise ValueError(f"num_steps must be positive, but is {num_steps}")
    if not 1 <= period <= 24:
        raise ValueError(f"period must be from 1 to 24, but is {period}")
    data = floating(data, packed=packed)
    expect_between(data, 0, 1)
    # Scaling by a power of two is exact; in half precision 2^24 is beyond all numbers.
    digits = (data.double() * 2**period).to(torch.int64).clamp(max=2**period - 1)
    steps = torch.arange(num_steps, device=data.device).view(-1, *(1,) * data.dim())
    on = (digits >> (period - 1 - steps % period)) & 1 == 1
    return spike_train(on, data.dtype, packed)
