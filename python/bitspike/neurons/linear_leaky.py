"""A linear layer in front of leaky integrators without reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor

from .state_leaky import StateLeaky


class LinearLeaky(StateLeaky):
    r"""``nn.Linear`` at every step, then `StateLeaky` (snnTorch 1.0's ``LinearLeaky``).

    .. math::
        I[t] = W x[t] + b, \qquad U[t] = d·U[t-1] + I[t], \qquad S[t] = γ·(U[t] > θ)

    Args:
        beta: As in `StateLeaky`, and so are all that are not explained here.
        in_features: Size of the last axis of the input.
        out_features: Number of neurons.
        bias: Whether the linear layer has one.
        device: Of the linear layer.
        dtype: Likewise.
        threshold, spike_grad, surrogate_disable, learn_beta: See `StateLeaky`.
        learn_threshold, state_quant, output, graded_spikes_factor: See `StateLeaky`.
        learn_graded_spikes_factor, kernel_truncation_steps: See `StateLeaky`.
        exact_decay, multi_step: See `StateLeaky`.

    Shapes:
        Input ``[T, B, in_features]`` (spikes may be packed); spikes (a `SpikeTensor` on the CPU)
        and membrane ``[T, B, out_features]``.

    Raises:
        ValueError: as `StateLeaky`, and for an input of another shape.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.LinearLeaky(beta=0.9, in_features=3, out_features=5)
        >>> spikes, membrane = neuron(torch.rand(7, 2, 3))
        >>> spikes.shape, membrane.shape
        (torch.Size([7, 2, 5]), torch.Size([7, 2, 5]))
    """

    def __init__(
        self,
        beta: float | Tensor,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = True,
        graded_spikes_factor: float | Tensor = 1.0,
        learn_graded_spikes_factor: bool = False,
        kernel_truncation_steps: int | None = None,
        *,
        exact_decay: bool = False,
        multi_step: bool = True,
    ) -> None:
        super().__init__(
            beta=beta,
            channels=out_features,
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            state_quant=state_quant,
            output=output,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
            kernel_truncation_steps=kernel_truncation_steps,
            exact_decay=exact_decay,
            multi_step=multi_step,
        )
        self.linear = nn.Linear(in_features, out_features, bias=bias, device=device, dtype=dtype)

    def forward(self, input_: Tensor) -> Any:
        """A whole sequence."""
        input_ = as_tensor(input_, "input_")
        features = self.linear.in_features
        if input_.dim() != 3 or input_.shape[2] != features:
            raise ValueError(f"input_ must be [T, B, {features}], not {tuple(input_.shape)}")
        return super().forward(self.linear(input_))
