"""The maximum of rates."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor
from bitspike.spikes.pack import pack_if_binary
from bitspike.spikes.tensor import SpikeTensor
from bitspike.state import HiddenState


class RateMaxPool(HiddenState):
    r"""A max pool of rates: in each window it has fired as often as the neuron that fired most.

    .. math::
        S_w[t] = \max_{i \in w} N_i[t] - \max_{i \in w} N_i[t-1],
        \qquad N_i[t] = \sum_{s ≤ t} S_i[s]

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
        """Takes the windows of a pool."""
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """The spikes of one step."""
        x = self._maps(x, 1)
        before = self._before_step(x)
        counts = before + x
        self._keep(None, (counts,), detached=False)
        more: Tensor = self.pool(counts) - self.pool(before)
        return more

    def run_sequence(self, x: Tensor) -> Tensor:
        """The spikes of a sequence: bits, if these are."""
        x = self._maps(x, 2)
        if not len(x):
            return x.new_zeros(0, *self.pool(x.new_zeros(x.shape[1:])).shape)
        packed = isinstance(x, SpikeTensor)
        if isinstance(x, SpikeTensor) and not (x.requires_grad and torch.is_grad_enabled()):
            return pack_if_binary(self._of_bits(x))
        x = x * 1  # which unpacks so that autograd records it
        counts = self._before_step(x[0])
        maxima, trains = self.pool(counts), []
        for spikes in x.unbind(0):
            counts = counts + spikes
            last, maxima = maxima, self.pool(counts)
            trains.append(maxima - last)
        self._keep(None, (counts,), detached=False)
        spikes = torch.stack(trains)
        return pack_if_binary(spikes) if packed else spikes

    def _maps(self, x: Tensor, leading: int) -> Tensor:
        """An argument as maps behind so many axes."""
        x = as_tensor(x, "x")
        axes = ("[B, C, L]", "[T, B, C, L]"), ("[B, C, H, W]", "[T, B, C, H, W]")
        planes = 2 if isinstance(self.pool, nn.MaxPool2d) else 1
        if x.dim() != leading + 1 + planes:
            raise ValueError(f"x must be {axes[planes - 1][leading - 1]}, not {list(x.shape)}")
        return x

    def _of_bits(self, x: SpikeTensor) -> Tensor:
        """The spikes of a packed sequence, as bytes or whole numbers, which count faster."""
        bits = x.bool().view(torch.uint8)
        # In the memory order of the spikes, channels last or not.
        counts, maxima = torch.zeros_like(bits[0]), bits.new_zeros(())
        before = self._kept()[0]
        if before.shape == counts.shape:
            most = int(before.max()) if before.numel() else 0
            counts = (counts if len(x) + most < 256 else counts.int()).copy_(before)
            maxima = self._maxima(counts)
        elif len(x) > 255:
            counts = counts.int()
        trains = []
        for spikes in bits:
            counts += spikes
            last, maxima = maxima, self._maxima(counts)
            trains.append((maxima - last).to(torch.uint8))
        self._keep(None, (counts,), detached=False)
        return torch.stack(trains)

    def _maxima(self, counts: Tensor) -> Tensor:
        """The largest of each window of whole numbers: ``self.pool`` for counts."""
        pool: Any = self.pool
        axes = counts.dim() - 2
        sizes = [_sizes(x, axes) for x in (pool.kernel_size, pool.stride, pool.padding)]
        if pool.ceil_mode or any(sizes[2]) or any(x != 1 for x in _sizes(pool.dilation, axes)):
            maxima: Tensor = pool(counts.float()).to(counts.dtype)
            return maxima
        # One axis after another, which takes fewer comparisons than whole windows.
        for axis, (window, stride) in enumerate(zip(*sizes[:2], strict=True), start=2):
            last = counts.shape[axis] - window
            slices = [
                counts.narrow(axis, i, last + 1).unfold(axis, 1, stride).squeeze(-1)
                for i in range(window)
            ]
            counts = slices[0]
            for other in slices[1:]:
                counts = torch.maximum(counts, other)
        return counts

    def _before_step(self, x: Tensor) -> Tensor:
        """How often each neuron has fired before a step."""
        kept = self._kept()[0]
        if kept.shape == x.shape:
            return kept
        dtype = torch.get_default_dtype() if x.dtype is torch.bool else x.dtype
        return torch.zeros(x.shape, dtype=dtype, device=x.device)


def _sizes(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)
