"""The spike response model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.neurons.base.neuron import Result, SpikingNeuron

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class SRM0(SpikingNeuron):
    r"""Spike response model with kernels of any shape (Gerstner 1995, Physical Review E).

    .. math::
        U[t] = \sum_{k=0}^{K-1} ε[k] I[t-k] + \sum_{k=1}^{L} η[k-1] S[t-k], \qquad
        S[t] = γ·(U[t] > θ)

    ``ε`` is the response of the membrane to a unit of input, ``η`` its response to a spike of its
    own, usually negative: it is the reset and the refractory period. `Alpha` and `Leaky` are this
    model with exponential kernels of infinite length. Runs in torch.

    Args:
        response: ``ε``, ``[K]``, or ``[K, *]`` with kernels that broadcast against one step.
        after_spike: ``η``, ``[L]`` or ``[L, *]``.
        learn_response: Make ``response`` a parameter.
        learn_after_spike: Make ``after_spike`` a parameter.
        options: See `SpikingNeuron`; the reset is ``after_spike``.

    Shapes:
        States are the last ``K - 1`` inputs ``[K-1, B, *]``, the last ``L`` spikes ``[L, B, *]``,
        newest first, and the membrane ``[B, *]``.

    Raises:
        ValueError: if a kernel is empty, and as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> k = torch.arange(20)
        >>> response = k / 5 * torch.exp(1 - k / 5)  # the alpha function
        >>> neuron = snn.SRM0(response, after_spike=-2 * 0.8**k, multi_step=True)
        >>> spikes, inputs, fired, mem = neuron(torch.full((50, 1, 1), 0.3))
        >>> spikes.sum()
        tensor(15.)
    """

    STATES = ("inputs", "fired", "mem")
    RESETS = ("none",)

    response: Tensor
    after_spike: Tensor
    inputs: Tensor
    fired: Tensor
    mem: Tensor

    def __init__(
        self,
        response: Tensor,
        after_spike: Tensor,
        *,
        learn_response: bool = False,
        learn_after_spike: bool = False,
        **options: Unpack[Options],
    ) -> None:
        options.setdefault("reset_mechanism", "none")
        super().__init__(**options)
        for name, kernel, learn in (
            ("response", response, learn_response),
            ("after_spike", after_spike, learn_after_spike),
        ):
            kernel = as_tensor(kernel, name)
            if not kernel.dim() or not len(kernel):
                raise ValueError(f"{name} must be a kernel [K, *], not {tuple(kernel.shape)}")
            self._constant(name, kernel, learn)

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """Of the past inputs, the past spikes and the membrane."""
        past = (len(self.response) - 1, len(self.after_spike))
        return (*(torch.Size((k, *step)) for k in past), step)

    def forward(
        self,
        input_: Tensor,
        inputs: Tensor | None = None,
        fired: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (inputs, fired, mem))

    def step(
        self, current: Tensor, inputs: Tensor, fired: Tensor, mem: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        inputs = torch.cat([current.unsqueeze(0), inputs])
        mem = _weighted(self.response, inputs) + _weighted(self.after_spike, fired)
        spikes, mem = self._fire_and_reset(mem, torch.zeros_like(mem))
        fired = torch.cat([spikes.unsqueeze(0), fired[:-1]])
        return spikes, (inputs[:-1], fired, mem)


def _weighted(kernel: Tensor, past: Tensor) -> Tensor:
    """The sum of ``kernel[k]·past[k]`` over ``k``."""
    axes = (1,) * (past.dim() - kernel.dim())
    return (kernel.reshape(len(kernel), *axes, *kernel.shape[1:]) * past).sum(0)
