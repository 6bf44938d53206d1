"""Rectified leaky integrators behind a linear layer: snnTorch's use of ``nn.RNN``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.arguments import as_tensor
from bitspike.neurons.base.constants import number
from bitspike.neurons.base.never_reset import NeverReset, fire
from bitspike.scan import linear_scan


class LeakyParallel(NeverReset):
    r"""A linear layer and rectified leaky integrators without reset, over a whole sequence.

    .. math::
        U[t] = \max(0, W_{ih} x[t] + b_{ih} + W_{hh} U[t-1] + b_{hh}), \qquad S[t] = γ·(U[t] > θ)

    (snnTorch 1.0's ``LeakyParallel``.) ``W_hh`` is diagonal, so that a neuron sees only its own
    membrane, and a step takes ``O(N)``; with ``weight_hh_enable=True`` it is a full matrix, and the
    membrane comes from ``nn.RNN``.

    Args:
        input_size: Size of the last axis of the input.
        hidden_size: Number of neurons.
        beta: Decay that ``W_hh`` starts with, clamped to ``[0, 1]``: a number, or a tensor
            ``[hidden_size]``. A full ``W_hh`` is filled with it, row by row, as in snnTorch. None
            leaves the random weights of ``nn.RNN``.
        bias: Whether there are ``b_ih`` and ``b_hh``.
        threshold: ``θ``: a number, or a tensor that broadcasts against one step.
        dropout: Without effect in a single layer; ``nn.RNN`` warns.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        learn_beta: Let ``W_hh`` learn; otherwise it is frozen, even if it is random.
        learn_threshold: Make ``threshold`` a parameter.
        graded_spikes_factor: ``γ``, what a spike counts.
        learn_graded_spikes_factor: Make it a parameter.
        weight_hh_enable: Whether ``W_hh`` is a full matrix.
        device: Of the weights.
        dtype: Likewise.
        multi_step: Without effect: every call takes a sequence.

    Shapes:
        Input ``[T, B, input_size]`` or ``[T, input_size]``, spikes may be packed; spikes
        ``[T, B, hidden_size]`` or ``[T, hidden_size]``, a `SpikeTensor` on the CPU.

    Raises:
        ValueError: for ``beta`` of another length, an input of another shape, and for a state dict
            with a full ``W_hh`` where that is diagonal.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.LeakyParallel(input_size=3, hidden_size=5, beta=0.9)
        >>> neuron(torch.rand(7, 2, 3)).shape
        torch.Size([7, 2, 5])
    """

    beta: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        beta: float | Tensor | None = None,
        bias: bool = True,
        threshold: float | Tensor = 1.0,
        dropout: float = 0.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        graded_spikes_factor: float | Tensor = 1.0,
        learn_graded_spikes_factor: bool = False,
        weight_hh_enable: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        multi_step: bool = True,
    ) -> None:
        super().__init__()
        sizes = (input_size, hidden_size)
        options: Any = dict(bias=bias, dropout=dropout, device=device, dtype=dtype)
        if weight_hh_enable:
            self.rnn: nn.RNNBase = nn.RNN(*sizes, nonlinearity="relu", **options)
        else:
            # It has the same weights as `nn.RNN`, which would break the graph of torch.compile.
            self.rnn = nn.RNNBase("RNN_RELU", *sizes, **options)
        self.hidden_size = hidden_size
        self.multi_step = multi_step
        self._is_diagonal = not weight_hh_enable
        self._start(beta)
        self._recurrent.requires_grad_(learn_beta)
        self._set_firing(
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_threshold=learn_threshold,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
        )

    def _start(self, beta: float | Tensor | None) -> None:
        """Gives ``W_hh`` its first values."""
        if beta is None:
            self.register_buffer("beta", None)
        else:
            values = number(beta, "beta")
            if not values.dim() and not isinstance(beta, Tensor):
                values = values.reshape(1)
            if values.numel() != 1 and values.shape != (self.hidden_size,):
                raise ValueError(
                    f"beta must be one value or [{self.hidden_size}], not {tuple(values.shape)}"
                )
            if not values.is_floating_point():
                values = values.to(torch.get_default_dtype())
            values = values.detach().clamp(0.0, 1.0)
            self.register_buffer("beta", values)
            with torch.no_grad():
                self._recurrent.copy_(values.reshape(-1, 1))
        if self._is_diagonal:
            self.weight_hh_enable()

    def weight_hh_enable(self) -> None:
        """Clears all of ``W_hh`` but its diagonal."""
        with torch.no_grad():
            self._recurrent.copy_(self._recurrent.diagonal().diag())

    @property
    def _recurrent(self) -> Tensor:
        weight: Tensor = self.rnn.all_weights[0][1]
        return weight

    def forward(self, input_: Tensor) -> Tensor:
        """A whole sequence."""
        input_ = as_tensor(input_, "input_")
        features = self.rnn.input_size
        if input_.dim() not in (2, 3) or input_.shape[-1] != features:
            raise ValueError(
                f"input_ must be [T, B, {features}] or [T, {features}], not {tuple(input_.shape)}"
            )
        return fire(self, self._membrane(input_))

    def run_sequence(self, input_: Tensor) -> Tensor:
        """The same: every call takes a sequence."""
        return self.forward(input_)

    def _membrane(self, input_: Tensor) -> Tensor:
        if not self._is_diagonal:
            membrane: Tensor = self.rnn(input_)[0]
            return membrane
        to_input, to_membrane, *biases = self.rnn.all_weights[0]
        bias = biases[0] + biases[1] if biases else None
        current = F.linear(input_, to_input, bias)
        return linear_scan(current, to_membrane.diagonal(), rectified=True)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        weight = state_dict.get(f"{prefix}rnn.weight_hh_l0")
        square = (self.hidden_size, self.hidden_size)
        if self._is_diagonal and weight is not None and weight.shape == square:
            if not weight.is_meta and not torch.equal(weight, weight.diagonal().diag()):
                raise ValueError(
                    f"{prefix}rnn.weight_hh_l0 is no diagonal matrix in the state dict; a layer "
                    "that takes it has weight_hh_enable=True"
                )
        super()._load_from_state_dict(state_dict, prefix, *args)
