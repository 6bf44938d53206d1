"""Losses of how far spike trains are from wanted ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bitspike.arguments import as_tensor_like
from bitspike.decode.lengths import checked_lengths, silenced
from bitspike.decode.recordings import checked
from bitspike.scan import linear_scan

from ._loss import LossFunctions, reduced


class van_rossum_loss(LossFunctions):
    r"""The distance of spike trains after an exponential filter, squared.

    .. math::
        D^2 = \frac1\tau \sum_t \big(x[t] - \hat x[t]\big)^2, \qquad
        x[t] = e^{-1/\tau}\,x[t-1] + S[t], \qquad
        \hat x[t] = e^{-1/\tau}\,\hat x[t-1] + \hat S[t]

    A spike too many costs :math:`1/(\tau (1 - e^{-2/\tau}))`, near 1/2, if the recording goes on
    long enough after it; one that comes late costs less, the less it is late.

    Source: van Rossum 2001, Neural Computation 13(4), in steps instead of continuous time.

    Args:
        tau: The time constant of the filter in steps.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over batch and neurons.

    Shapes:
        Spikes ``[T, B, C]``, and wanted spikes of the same shape; the loss is a number, or
        ``[B, C]`` for ``"none"``. It is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, or a ``tau`` that is not positive.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> spikes = torch.zeros(100, 1, 1)
        >>> spikes[10] = 1
        >>> SF.van_rossum_loss(tau=5.0)(spikes, torch.zeros_like(spikes))
        tensor(0.6066)
    """

    def __init__(self, tau: float, reduction: str = "mean") -> None:
        if not tau > 0:
            raise ValueError(f"tau must be positive, not {tau}")
        super().__init__(reduction)
        self.tau = tau

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        spikes = checked(spk_out)
        targets = as_tensor_like(targets, "targets", spikes)
        if targets.shape != spikes.shape:
            raise ValueError(
                f"targets must be spikes [T, B, C] like spk_out {tuple(spikes.shape)}, "
                f"not of shape {tuple(targets.shape)}"
            )
        # The filter is linear: one run for both trains.
        differences = spikes - targets
        decay = torch.tensor(math.exp(-1 / self.tau), dtype=spikes.dtype, device=spikes.device)
        traces = linear_scan(differences, decay)
        traces = silenced(traces, checked_lengths(lengths, spikes, least=0))
        return reduced((traces**2).sum(0) / self.tau, self.reduction)
