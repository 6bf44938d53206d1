"""Recordings as phases of a carrier: pulse-width modulation."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.one_call import one_call

from ._data import expect_between, recorded
from ._train import spike_train


@one_call
def pwm(
    data: Tensor, period: int, low: float = 0, high: float = 1, *, packed: bool = False
) -> Tensor:
    r"""Pulse-width coding: one spike in each period of a sawtooth, where that reaches the signal.

    .. math::
        S[t] = \Big[c[t] \ge x[t] \text{ for the first time in its period}\Big] \qquad
        c[t] = low + (high - low)\,\frac{t \bmod P}{P - 1}

    The phase of the spike is the value: a pulse from the start of the period to the spike is as
    wide as the signal is high. :func:`pwm_inverse` reads it back.

    Source: Arriandiaga, Portillo, Espinosa-Ramos & Kasabov (2020), IEEE Trans. Neural Networks and
    Learning Systems 31(10).

    Args:
        data: ``[T, *]``, any real dtype, values from ``low`` to ``high``.
        period: :math:`P`, in steps, at least 2. An incomplete one at the end may have no spike.
        low: Where the sawtooth starts.
        high: Where it ends.
        packed: Return a `SpikeTensor`.

    Returns:
        Spikes ``[T, *]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: if there is no step, a value lies outside ``low`` to ``high``, ``high`` is not
            above ``low``, or ``period`` is less than 2.

    Example:
        >>> data = torch.tensor([0.5, 0.5, 0.5, 0.8, 0.8, 0.8])
        >>> snn.spikegen.pwm(data, period=3)  # the carrier is 0, 0.5, 1, 0, 0.5, 1
        tensor([0., 1., 0., 0., 0., 1.])
    """
    data = recorded(data, packed=packed)
    levels = _sawtooth(period, low, high, data)
    expect_between(data, low, high)
    on = torch.zeros_like(data, dtype=torch.bool)
    for x, fires in zip(data.split(period), on.split(period), strict=True):
        reached = levels[: len(x)].view(-1, *(1,) * (data.dim() - 1)) >= x
        fires.copy_(reached & (reached.cumsum(0, dtype=torch.int32) == 1))
    return spike_train(on, data.dtype, packed)


@one_call
def pwm_inverse(spikes: Tensor, period: int, low: float = 0, high: float = 1) -> Tensor:
    r"""The signal that spikes of `pwm` encode: the sawtooth at each, linear between them.

    Before the first and after the last spike of a channel the signal is what it is there. At a
    spike it is never less than the data, and exceeds it by less than one step of the sawtooth,
    ``(high - low)/(period - 1)``, and what the data fell by in the step before.

    Source: Arriandiaga, Portillo, Espinosa-Ramos & Kasabov (2020), IEEE Trans. Neural Networks and
    Learning Systems 31(10).

    Args:
        spikes: ``[T, *]`` of :func:`pwm`, packed or not.
        period: That of the encoder.
        low: Likewise.
        high: Likewise.

    Returns:
        ``[T, *]``, in the dtype of the spikes; NaN in channels without any.

    Raises:
        ValueError: if there is no step, ``high`` is not above ``low``, or ``period`` is less than
            2.

    Example:
        >>> snn.spikegen.pwm_inverse(torch.tensor([0.0, 1, 0, 0, 0, 1]), period=3)
        tensor([0.5000, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000])
    """
    train = recorded(spikes, "spikes")
    levels = _sawtooth(period, low, high, train)
    steps = train.shape[0]
    time = torch.arange(steps, device=train.device).view(-1, *(1,) * (train.dim() - 1))
    fires = train > 0
    before = torch.where(fires, time, -1).cummax(0).values
    after = torch.where(fires, time, steps).flip(0).cummin(0).values.flip(0)
    first, last = before < 0, after == steps
    known = torch.where(first & last, torch.nan, 1.0).to(train.dtype)
    before, after = torch.where(first, after, before), torch.where(last, before, after)
    share = (time - before).to(train.dtype) / (after - before).clamp(min=1)
    return torch.lerp(levels[before % period], levels[after % period], share) * known


def _sawtooth(period: int, low: float, high: float, data: Tensor) -> Tensor:
    """One period of the carrier, ``[P]``."""
    if period < 2:
        raise ValueError(f"period must be at least 2, but is {period}")
    if not high > low:
        raise ValueError(f"high must be above low, but high is {high} and low {low}")
    return torch.linspace(low, high, period, dtype=data.dtype, device=data.device)
