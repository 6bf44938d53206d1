"""The spiking convolutional LSTM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.neurons.base.gated import GatedNeuron, cast
from bitspike.neurons.base.inhibition import KWTA
from bitspike.neurons.base.neuron import Result


class SConv2dLSTM(GatedNeuron):
    r"""Spiking convolutional LSTM (ConvLSTM: Shi et al. 2015, without peepholes; snnTorch's form).

    .. math::
        i, f, o, g &= W ⋆ [x[t], mem[t-1]] + b \\
        syn[t] &= σ(f)·syn[t-1] + σ(i)·\tanh(g) \\
        mem[t] &= σ(o)·\tanh(syn[t]) \\
        S[t] &= (\mathrm{pool}(mem[t]) > θ)

    One convolution, padded so that height and width stay, sees the input and the membrane side by
    side in its channels. The pool acts on what fires alone: states and the reset flag
    ``R = (mem[t-1] > θ)`` are unpooled. Resets act on ``mem`` as in `SLSTM`.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the states and spikes.
        kernel_size: Size of the kernel, odd: a number, or one for height and one for width.
        bias: Whether the gates have biases.
        max_pool: Window of a max-pool in front of the threshold, likewise; 0 for none.
        avg_pool: Window of an average-pool, likewise; not beside ``max_pool``.
        threshold: ``θ``: a number, or a tensor that broadcasts against ``[B, out_channels, H, W]``
            and, with a pool, against the pooled map.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the states in the module; calls take and return none.
        inhibition: A `KWTA`, without a pool; ``True`` warns and has no effect, as in snnTorch.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"none"``, ``"subtract"`` or ``"zero"``.
        state_quant: A function applied to both states after each update, and to the pooled map.
        output: Return ``(spikes, syn, mem)`` also with ``init_hidden``.
        multi_step: Take a whole sequence per call.

    Shapes:
        One step: input ``[B, in_channels, H, W]``, states ``[B, out_channels, H, W]``, spikes the
        same or, with a pool of ``p``, ``[B, out_channels, H // p, W // p]``. With
        ``multi_step=True`` input and results have a time axis in front; initial states have not.

    Dtypes:
        As `SLSTM`.

    Raises:
        ValueError: for an input of another shape, an even kernel, both pools, a pool beside a
            `KWTA`, an unknown reset mechanism, a threshold that does not broadcast, and in a
            sequence for an initial state of another shape.
        TypeError: for a state beside ``init_hidden=True``, and for complex input.

    Example:
        >>> import torch, bitspike as snn
        >>> lstm = snn.SConv2dLSTM(1, 4, kernel_size=3, max_pool=2, threshold=0.1)
        >>> spikes, syn, mem = lstm(torch.rand(5, 1, 8, 8))
        >>> spikes.shape, mem.shape
        (torch.Size([5, 4, 4, 4]), torch.Size([5, 4, 8, 8]))
    """

    STATES = ("syn", "mem")

    syn: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        bias: bool = True,
        max_pool: int | Sequence[int] = 0,
        avg_pool: int | Sequence[int] = 0,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool | KWTA = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "none",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        *,
        multi_step: bool = False,
    ) -> None:
        """Draws the weights as ``nn.Conv2d`` does."""
        super().__init__(
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=output,
            multi_step=multi_step,
        )
        if max_pool and avg_pool:
            raise ValueError(
                f"max_pool is {max_pool} and avg_pool is {avg_pool}; give one of them, not both"
            )
        if (max_pool or avg_pool) and self.inhibition:
            raise ValueError("inhibition by KWTA needs a membrane without max_pool or avg_pool")
        sizes = _two(kernel_size)
        if len(sizes) != 2 or any(size < 1 or size % 2 == 0 for size in sizes):
            raise ValueError(
                f"kernel_size must be odd, or the states would grow, not {kernel_size}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.bias = bias
        self.max_pool = max_pool
        self.avg_pool = avg_pool
        self.padding = (sizes[0] // 2, sizes[1] // 2)
        self.conv = nn.Conv2d(
            in_channels + out_channels,
            4 * out_channels,
            (sizes[0], sizes[1]),
            padding=self.padding,
            bias=bias,
        )

    def forward(
        self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (syn, mem))

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """Both states are ``[B, out_channels, H, W]``."""
        if len(step) != 4 or step[1] != self.in_channels:
            raise ValueError(
                f"input_ must be [B, {self.in_channels}, H, W] at each step, because in_channels "
                f"is {self.in_channels}, not {tuple(step)}"
            )
        return (torch.Size((step[0], self.out_channels, *step[2:])),) * 2

    def step(self, current: Tensor, syn: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        reset = self.mem_reset(mem)
        weight, bias = cast([self.conv.weight, self.conv.bias], mem)
        gates = F.conv2d(torch.cat([current, mem], 1), weight, bias, padding=self.padding)
        i, f, o, g = gates.split(self.out_channels, 1)
        syn = torch.sigmoid(f) * syn + torch.sigmoid(i) * torch.tanh(g)
        mem = torch.sigmoid(o) * torch.tanh(syn)
        syn = self._quantised(syn)
        spikes, mem = self._reset_and_fire(mem, reset)
        return spikes, (syn, mem)

    def _fire_visible(self, mem: Tensor) -> Tensor:
        if self.max_pool:
            mem = F.max_pool2d(mem, _two(self.max_pool))
        elif self.avg_pool:
            mem = F.avg_pool2d(mem, _two(self.avg_pool))
        return self.fire(mem)

    def init_sconv2dlstm(self) -> tuple[Tensor, Tensor]:
        """Deprecated alias of :meth:`reset_mem`."""
        states: tuple[Tensor, Tensor] = self.reset_mem()
        return states


def _two(size: int | Sequence[int]) -> list[int]:
    """A size for height and one for width."""
    return [size, size] if isinstance(size, int) else list(size)
