"""The maximum of rates."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitspike.spikes.pack import pack_if_binary
from bitspike.state import HiddenState


class RateMaxPool(HiddenState):
    r"""A max pool of rates: in each window it has fired as often as the neuron that fired most.

    .. math::
        S_w[t] = \max_{i \in w} N_i[t] - \max_{i \in w} N_i[t-1], \qquad N_i[t] = \sum_{s ≤ t} S_i[s]

    Counts grow by at most 1 in a step, and so does their maximum: the output consists of spikes.
    A max pool of the spikes themselves would be their OR, which fires too often, and a gate that
    lets the neuron with the highest rate through changes its mind.

    Args:
        pool: The ``nn.MaxPool1d`` or ``nn.MaxPool2d`` that says what the windows are.

    Shapes:
        One step ``[B, C, *]``, or with `run_sequence` a sequence ``[T, B, C, *]`` of spikes.
        Outputs are of the size of the pool's.

    Example:
        >>> import torch, bitspike as snn
        >>> pool = snn.convert.RateMaxPool(torch.nn.MaxPool1d(2))
        >>> spikes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]).view(3, 1, 1, 2)
        >>> pool.run_sequence(spikes).flatten()
        tensor([1., 0., 1.])
    """

    STATES: ClassVar[tuple[str, ...]] = ("counts",)

    counts: Tensor

    def __init__(self, pool: nn.MaxPool1d | nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """The spikes of one step."""
        before = self._before_step(x)
        counts = before + x
        self._keep(None, (counts,), detached=False)
        return self.pool(counts) - self.pool(before)  # type: ignore[no-any-return]

    def run_sequence(self, x: Tensor) -> Tensor:
        """The spikes of a sequence."""
        counts = self._before_step(x[0] if len(x) else x.new_zeros(x.shape[1:]))
        maxima: Any = self.pool(counts)
        trains = []
        for spikes in (x * 1).unbind(0):
            counts = counts + spikes
            last, maxima = maxima, self.pool(counts)
            trains.append(maxima - last)
        self._keep(None, (counts,), detached=False)
        if not trains:
            return x.new_zeros(0, *maxima.shape)
        return pack_if_binary(torch.stack(trains))

    def _before_step(self, x: Tensor) -> Tensor:
        """How often each neuron has fired."""
        kept = self._kept()[0]
        if kept.shape == x.shape:
            return kept
        return torch.zeros(x.shape, dtype=x.dtype, device=x.device)
