"""The parallel spiking neuron."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bitspike.arguments import expect_one_device
from bitspike.neurons.base.fixed_steps import expect_steps, over_time
from bitspike.neurons.base.inputs import current_of
from bitspike.neurons.base.never_reset import NeverReset, fire


class PSN(NeverReset):
    r"""Parallel spiking neuron, over a whole sequence (Fang et al., NeurIPS 2023).

    .. math::
        U[t] = \sum_{s=0}^{T-1} W[t, s]\,I[s] + b[t], \qquad S[t] = γ·(U[t] > θ)

    A matrix over time, shared by all neurons, takes the place of charging and reset, and one
    product computes all steps. A step depends on later ones too: there are no single steps, and no
    streaming; `MaskedPSN` and `SlidingPSN` have them. SpikingJelly fires at ``U >= 0`` too, and its
    bias is ``b - θ``. The product is torch's; spikes fire natively.

    Args:
        T: Steps of a sequence.
        threshold: ``θ``: a number, or a tensor that broadcasts against one step.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        learn: Whether ``weight`` ``[T, T]``, uniform within ``±1/√T`` to begin with, and ``bias``
            ``[T]``, 0 to begin with, are parameters.
        learn_threshold: Make ``threshold`` a parameter.
        graded_spikes_factor: ``γ``, what a spike counts.
        learn_graded_spikes_factor: Make it a parameter.
        output: Return spikes and membranes.
        multi_step: Without effect: every call takes a sequence.

    Shapes:
        Input ``[T, B, *]``; spikes (a `SpikeTensor` on the CPU) and membranes the same.

    Raises:
        ValueError: for a sequence of another length, single steps among them, ``T < 1``, and
            parameters that do not broadcast.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.PSN(T=3)
        >>> with torch.no_grad():
        ...     _ = neuron.weight.copy_(torch.ones(3, 3).triu())  # what is still to come
        >>> neuron(torch.tensor([0.5, 1.0, 0.75]).view(3, 1)).dense()[:, 0].detach()
        tensor([1., 1., 0.])
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        T: int,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        *,
        learn: bool = True,
        learn_threshold: bool = False,
        graded_spikes_factor: float | Tensor = 1.0,
        learn_graded_spikes_factor: bool = False,
        output: bool = False,
        multi_step: bool = True,
    ) -> None:
        if T < 1:
            raise ValueError(f"T must be 1 or more, not {T}")
        super().__init__()
        self._set_firing(
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_threshold=learn_threshold,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
        )
        self.T, self.output, self.multi_step = T, output, multi_step
        self._constant("weight", (2 * torch.rand(T, T) - 1) / T**0.5, learn)
        self._constant("bias", torch.zeros(T), learn)

    def extra_repr(self) -> str:
        """The length of a sequence."""
        return f"T={self.T}"

    def forward(self, input_: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """A whole sequence."""
        current = current_of(input_, True, self.threshold.device)
        expect_steps(self, current, self.T, "it takes a whole sequence, and has no single steps")
        expect_one_device(current, "input_", (*self.named_parameters(), *self.named_buffers()))
        dtype = current.dtype
        if dtype in (torch.bfloat16, torch.float16):
            current = current.float()
        membrane = over_time(self.weight, current, self.bias)
        spikes = fire(self, membrane).to(dtype)
        return (spikes, membrane) if self.output else spikes

    def run_sequence(self, input_: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The same: every call takes a sequence."""
        return self.forward(input_)
