"""Recordings as the input of a filter: the spikes whose filtered train is the signal."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor_like, with_values
from bitspike.one_call import one_call

from ._data import recorded
from ._train import spike_train


@one_call
def bsa(data: Tensor, kernel: Tensor, threshold: float, *, packed: bool = False) -> Tensor:
    r"""Ben's spiker algorithm: a spike where the signal looks like the response to one.

    Step after step, each channel fires if taking the filter's response :math:`h` away from what is
    left of the signal makes that smaller by the threshold or more; then it is taken away:

    .. math::
        S[t] = \Big[\sum_j |x[t+j] - h[j]| \le \sum_j |x[t+j]| - \theta\Big] \qquad
        x[t+j] \leftarrow x[t+j] - S[t]\,h[j]

    with :math:`j` from 0 to the end of the filter or of the data. What :func:`bsa_inverse` makes of
    the spikes differs from the data by what is left. A signal below zero needs an offset, as
    filters are positive on the whole.

    Source: Schrauwen & Van Campenhout (2003), Proc. IJCNN.

    Args:
        data: ``[T, *]``, any real dtype.
        kernel: :math:`h`, ``[M]``: a low-pass filter, say.
        threshold: :math:`\theta`; the sum of :math:`|h|` at the most, or no spike is possible.
        packed: Return a `SpikeTensor`.

    Returns:
        Spikes ``[T, *]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: if ``data`` has no step, ``kernel`` is not ``[M]`` with one value or more, or
            ``threshold`` is negative.

    Example:
        >>> kernel = torch.tensor([0.5, 0.25])
        >>> data = torch.tensor([0.5, 0.25, 0.0, 0.5, 0.75, 0.25])
        >>> snn.spikegen.bsa(data, kernel, threshold=0.7)
        tensor([1., 0., 0., 1., 1., 0.])
    """
    if not threshold >= 0:
        raise ValueError(f"threshold must not be negative, but is {threshold}")
    left = recorded(data, packed=packed).detach().clone()
    response = _response(kernel, left).detach()
    fires = []
    for t in range(left.shape[0]):
        # A view of `left`: what is subtracted from it here is gone in the steps that follow.
        ahead = left[t : t + len(response)]
        taken = ahead - response[: len(ahead)]
        fires.append(taken.abs().sum(0) <= ahead.abs().sum(0) - threshold)
        ahead.copy_(torch.where(fires[-1], taken, ahead))
    on = torch.stack(fires)
    return spike_train(on, left.dtype, packed)


@one_call
def bsa_inverse(spikes: Tensor, kernel: Tensor) -> Tensor:
    r"""The signal that spikes of `bsa` encode: the spike train, filtered.

    .. math::
        \hat x[t] = \sum_j h[j]\,S[t-j]

    Source: Schrauwen & Van Campenhout (2003), Proc. IJCNN.

    Args:
        spikes: ``[T, *]`` of :func:`bsa`, packed or not.
        kernel: :math:`h`, ``[M]``.

    Returns:
        ``[T, *]``, in the dtype of the spikes.

    Raises:
        ValueError: if ``spikes`` has no step or ``kernel`` is not ``[M]`` with one value or more.

    Example:
        >>> snn.spikegen.bsa_inverse(torch.tensor([1.0, 0, 0, 1, 1]), torch.tensor([0.5, 0.25]))
        tensor([0.5000, 0.2500, 0.0000, 0.5000, 0.7500])
    """
    train = recorded(spikes, "spikes")
    response = _response(kernel, train)
    steps = train.shape[0]
    signal = torch.zeros_like(train)
    for lag in range(min(len(response), steps)):
        signal[lag:] += response[lag] * train[: steps - lag]
    return signal


def _response(kernel: Tensor, data: Tensor) -> Tensor:
    """The filter ``[M, 1, …]``, to be used on slices ``[M, *]`` of the data."""
    kernel = as_tensor_like(kernel, "kernel", data)
    if not data.is_meta:
        with_values(kernel, "kernel")
    if kernel.dim() != 1 or not kernel.numel():
        raise ValueError(f"kernel must be [M] with one value or more, not {tuple(kernel.shape)}")
    return kernel.view(-1, *(1,) * (data.dim() - 1))
