"""Recordings as ON and OFF spikes: where a signal leaves what is expected of it."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.one_call import one_call

from ._data import floating, recorded, rows_and_features, thresholds
from ._polarity import on_and_off


@one_call
def step_forward(data: Tensor, threshold: float | Tensor = 0.1, *, packed: bool = False) -> Tensor:
    r"""Step-forward coding: a spike where a signal leaves its baseline, which then steps after it.

    Each channel has a baseline, at first its first value, and

    .. math::
        S_{on}[t] = [x[t] > B[t-1] + \theta] \qquad
        S_{off}[t] = [x[t] < B[t-1] - \theta] \qquad
        B[t] = B[t-1] + \theta\,(S_{on}[t] - S_{off}[t])

    The baseline is what :func:`step_forward_inverse` makes of the spikes: as long as the signal
    changes by no more than the threshold from step to step, they differ by no more than that.

    Source: Kasabov et al. (2016), Neural Networks 78; Petro, Kasabov & Kiss (2020), IEEE Trans.
    Neural Networks and Learning Systems 31(2).

    Args:
        data: ``[T, B, *]``, or ``[T, N]`` or ``[T]`` without samples; any real dtype.
        threshold: :math:`\theta`, a number, or one for each channel: a tensor like one step of the
            data, or like its last axes.
        packed: Return a `SpikeTensor`.

    Returns:
        Spikes ``[T, B, 2, *]``, first the ON, then the OFF channels, in the dtype of the data
        (float32 for integers). Step 0 is silent.

    Raises:
        ValueError: if there is no step, or a threshold is not positive or does not fit.

    Example:
        >>> spikes = snn.spikegen.step_forward(torch.tensor([0.0, 3, 3, 3, 1]), threshold=1)
        >>> spikes.T  # the baseline is 0, 1, 2, 2, 1: 3 is not more than 2 + 1
        tensor([[0., 1., 1., 0., 0.],
                [0., 0., 0., 0., 0.]])
    """
    data = recorded(data, packed=packed).detach()
    theta = thresholds(threshold, data[0])
    base = data[0]
    on, off = [], []
    for x in data.unbind(0):
        above, below = x > base + theta, x < base - theta
        base = base + theta * (above.to(data.dtype) - below.to(data.dtype))
        on.append(above)
        off.append(below)
    axis = len(rows_and_features(data.shape, has_time=True)[0])
    return on_and_off(torch.stack(on), torch.stack(off), axis, data.dtype, packed)


@one_call
def moving_window(
    data: Tensor, window: int, threshold: float | Tensor = 0.1, *, packed: bool = False
) -> Tensor:
    r"""Moving-window coding: a spike where a signal leaves the mean of the steps before.

    .. math::
        S_{on}[t] = [x[t] > m[t] + \theta] \qquad S_{off}[t] = [x[t] < m[t] - \theta] \qquad
        m[t] = \frac1w \sum_{s=t-w}^{t-1} x[s]

    where the first :math:`w` steps are compared with their own mean. A slow drift makes no spikes.

    Source: Kasabov et al. (2016), Neural Networks 78; Petro, Kasabov & Kiss (2020), IEEE Trans.
    Neural Networks and Learning Systems 31(2), who read the spikes back as
    :func:`step_forward_inverse` does; that they are close to the signal is not certain here.

    Args:
        data: ``[T, B, *]``, or ``[T, N]`` or ``[T]`` without samples; any real dtype.
        window: :math:`w`, in steps.
        threshold: :math:`\theta`, a number, or one for each channel: a tensor like one step of the
            data, or like its last axes.
        packed: Return a `SpikeTensor`.

    Returns:
        Spikes ``[T, B, 2, *]``, first the ON, then the OFF channels, in the dtype of the data
        (float32 for integers).

    Raises:
        ValueError: if there is no step, ``window`` is not from 1 to ``T``, or a threshold is not
            positive or does not fit.

    Example:
        >>> data = torch.tensor([1.0, 1, 4, 4, 0])  # means 1, 1, 1, 2.5, 4
        >>> snn.spikegen.moving_window(data, window=2, threshold=2).T
        tensor([[0., 0., 1., 0., 0.],
                [0., 0., 0., 0., 1.]])
    """
    data = recorded(data, packed=packed)
    theta = thresholds(threshold, data[0])
    steps = data.shape[0]
    if not 1 <= window <= steps:
        raise ValueError(f"window must be from 1 to {steps}, the steps of data, but is {window}")
    means = data.unfold(0, window, 1).mean(-1)
    means = means[(torch.arange(steps, device=data.device) - window).clamp(min=0)]
    axis = len(rows_and_features(data.shape, has_time=True)[0])
    return on_and_off(data > means + theta, data < means - theta, axis, data.dtype, packed)


@one_call
def step_forward_inverse(spikes: Tensor, start: Tensor, threshold: float | Tensor = 0.1) -> Tensor:
    r"""The signal that ON and OFF spikes encode: a step up or down for each.

    .. math::
        \hat x[t] = x_0 + \theta \sum_{s \le t} (S_{on}[s] - S_{off}[s])

    Source: Petro, Kasabov & Kiss (2020), IEEE Trans. Neural Networks and Learning Systems 31(2).

    Args:
        spikes: ``[T, B, 2, *]`` of :func:`step_forward`, packed or not.
        start: :math:`x_0` ``[B, *]``, the first step of the data.
        threshold: :math:`\theta` of the encoder.

    Returns:
        ``[T, B, *]``, in the dtype of ``start`` (float32 for integers).

    Raises:
        ValueError: if ``spikes`` and ``start`` do not fit each other, or a threshold is not
            positive or does not fit.

    Example:
        >>> data = torch.tensor([0.0, 0.5, 1.5, 2.0, 1.5])
        >>> spikes = snn.spikegen.step_forward(data, threshold=1)
        >>> snn.spikegen.step_forward_inverse(spikes, data[0], threshold=1)
        tensor([0., 0., 1., 1., 1.])
    """
    start = floating(start, "start")
    spikes = as_tensor(spikes, "spikes", start.device)
    rows, features = rows_and_features(start.shape, has_time=False)
    if tuple(spikes.shape[1:]) != (*rows, 2, *features) or spikes.dim() == 0:
        wanted = ", ".join(map(str, ("T", *rows, 2, *features)))
        raise ValueError(
            f"spikes must be [{wanted}] for start {tuple(start.shape)}, not {tuple(spikes.shape)}"
        )
    on, off = (x.to(start.dtype) for x in spikes.unbind(1 + len(rows)))
    return start + thresholds(threshold, start) * (on - off).cumsum(0)
