"""Recurrent layers: spikes of one step drive all neurons of the layer in the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bitspike.ops import route
from bitspike.ops.call import Call
from bitspike.program.tensors import learned_and_fixed
from bitspike.spikes.dense import as_dense_spikes
from bitspike.spikes.pack import pack_if_binary

from .constants import spikes_are_bits
from .lif import LIF
from .programs import floats
from .recurrent_layer import run_recurrent
from .run import Run, kind_of


class OneToOne(nn.Module):
    """``x·V``: each neuron is connected to itself alone."""

    V: Tensor

    def __init__(self, V: Tensor) -> None:
        super().__init__()
        if isinstance(V, nn.Parameter):
            self.V = V
        else:
            # The neuron saves it.
            self.register_buffer("V", V, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The currents that these spikes cause."""
        return x * self.V


class Recurrent(LIF):
    """Adds a connection from a layer to itself.

    A subclass names its ``equation``, the ``step`` of a neuron without a connection, lists its
    spikes as first state, ``spk``, and its constructor calls `_connect`.
    """

    V: Tensor
    spk: Tensor
    mem: Tensor
    recurrent: nn.Module
    equation: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    """One step of the neuron without a connection, with a last argument: what came back."""

    def _connect(
        self,
        V: float | Tensor,
        all_to_all: bool,
        linear_features: int | None,
        conv2d_channels: int | None,
        kernel_size: int | tuple[int, int] | None,
        learn_recurrent: bool,
    ) -> None:
        if self.order == "fire_first":
            raise ValueError(
                f"order='fire_first' is not offered by {type(self).__name__}, whose spikes drive "
                "its next step"
            )
        self.all_to_all = all_to_all
        self.learn_recurrent = learn_recurrent
        self.linear_features = linear_features
        self.conv2d_channels = conv2d_channels
        self.kernel_size = kernel_size
        self._check_connection()
        if not all_to_all:
            self._constant("V", V, learn_recurrent)
            self.recurrent = OneToOne(self.V)
        elif linear_features:
            self.recurrent = nn.Linear(linear_features, linear_features)
        elif conv2d_channels and kernel_size:
            sides = (kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size
            padding = sides[0] // 2, sides[1] // 2
            self.recurrent = nn.Conv2d(
                conv2d_channels, conv2d_channels, kernel_size, padding=padding
            )
        if not learn_recurrent:
            self.recurrent.requires_grad_(False)

    def _check_connection(self) -> None:
        kind = type(self).__name__
        dense, channels, kernel = map(
            bool, (self.linear_features, self.conv2d_channels, self.kernel_size)
        )
        if not self.all_to_all:
            if dense or channels or kernel:
                raise TypeError(
                    f"with all_to_all=False, {kind} takes V, and none of linear_features, "
                    "conv2d_channels and kernel_size"
                )
        elif dense and (channels or kernel):
            raise TypeError(
                f"{kind} takes linear_features or conv2d_channels and kernel_size, not both"
            )
        elif channels != kernel:
            missing = "kernel_size" if channels else "conv2d_channels"
            raise TypeError(f"conv2d_channels and kernel_size go together; {missing} is missing")
        elif not dense and not channels:
            raise TypeError(
                f"with all_to_all=True, {kind} takes linear_features, or conv2d_channels and "
                "kernel_size: the shape of its spikes"
            )

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        if not self.all_to_all and not self.learn_recurrent:
            self.recurrent.V = self.V

    def _result(self, spikes: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (spikes, *states[1:])

    def step(self, current: Tensor, *states: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the equation, driven by the spikes before as well."""
        spk, *others = states
        recurrent = self._feedback(spk)
        spikes, after = self.equation(current, *others, recurrent)
        return spikes, (spikes, *after)

    def _first(self, index: int, shape: torch.Size, dtype: torch.dtype, device: Any) -> Tensor:
        state = super()._first(index, shape, dtype, device)
        # Before the first step all samples are silent, so one is stored and expanded.
        return state[:1].expand(shape) if index == 0 and self._has_samples(state) else state

    def _has_samples(self, spk: Tensor) -> bool:
        """Whether the first axis of the spikes is a batch axis to the connection."""
        connection = self.recurrent
        if isinstance(connection, nn.Conv2d):
            return spk.dim() == 4
        return isinstance(connection, nn.Linear) and spk.dim() > 1

    def _feedback(self, spk: Tensor) -> Tensor:
        """The current that these spikes cause, in the dtype of the states."""
        if spk.dtype in (torch.bfloat16, torch.float16):
            spk = spk.float()
        if self._has_samples(spk) and spk.shape[0] > 1 and spk.stride(0) == 0:
            return self._feedback(spk[:1]).expand(spk.shape)
        connection = self.recurrent
        others = {}
        if [x for x in learned_and_fixed(connection) if x.dtype != spk.dtype]:
            others = {
                name: x.to(spk.dtype)
                for name, x in connection.named_parameters()
                if x.dtype != spk.dtype
            }
        result: Tensor = functional_call(connection, others, spk) if others else connection(spk)
        if result.shape != spk.shape:
            raise ValueError(
                f"recurrent makes {tuple(result.shape)} of spikes {tuple(spk.shape)}; it must keep "
                "their shape"
            )
        return result

    def _numbers(self, shape: torch.Size) -> list[Tensor]:
        features = self.linear_features
        if features and (not shape or shape[-1] != features):
            raise ValueError(
                f"one step of input_ has shape {tuple(shape)}, but linear_features={features} "
                "needs as many neurons in its last axis"
            )
        return super()._numbers(shape)

    def _refusal(self, current: Tensor, numbers: list[Tensor]) -> str | None:
        if not spikes_are_bits(self):
            return "spikes that come back natively count 1, and graded_spikes_factor is another"
        return super()._refusal(current, [*numbers, *learned_and_fixed(self.recurrent)])

    def _fused(self, current: Tensor) -> list[Tensor | None] | None:
        """Weight, bias and one-to-one weight for the native module, if it knows the connection."""
        connection = self.recurrent
        if route.has_hooks(connection):
            return None
        if isinstance(connection, OneToOne):
            return [None, None, connection.V.float()]
        plain = isinstance(connection, nn.Linear) and not torch.is_autocast_enabled("cpu")
        quantised = getattr(type(connection), "shaped_as", None) is nn.Linear
        known = quantised or type(connection).forward is nn.Linear.forward
        if not plain or not known or current.dim() > 3:
            return None
        weight: Tensor = connection.quant_weight() if quantised else connection.weight  # type: ignore
        bias: Tensor | None = connection.bias  # type: ignore[assignment]
        return [weight.float(), None if bias is None else bias.float(), None]

    def _run_native(
        self,
        current: Tensor,
        numbers: list[Tensor],
        initial: list[Tensor],
        sequence: bool,
        states: bool,
    ) -> Run:
        spk, *others = initial
        # A single step receives only the feedback of the spikes before it, computed here.
        feedback: list[Tensor | None] = [None, None, _NONE]
        if sequence:
            fused = self._fused(current)
            if fused is None or not len(current):
                return self._step_by_step(current, numbers, initial, states)
            feedback = fused
        tensors = floats([current, self._feedback(spk), *numbers[:-1], *others])
        results = run_recurrent(
            Call(kind_of(self), sequence, states, len(numbers) - 1),
            [*tensors[:2], *feedback, *tensors[2:]],
        )
        last = results[-len(initial) :]
        spikes = results[0]
        if spikes.dtype is not current.dtype:
            spikes = spikes.to(current.dtype)
        if sequence:
            return Run(spikes, (spikes, *results[1 : -len(initial)]) if states else (), last)
        if spikes.dtype is torch.float32 and not route.is_watched():
            spikes = as_dense_spikes(spikes)
        return Run(spikes, (), last)

    def _step_by_step(
        self, current: Tensor, numbers: list[Tensor], initial: list[Tensor], states: bool
    ) -> Run:
        """A sequence through native steps, with the connection in torch between them."""
        if not len(current):
            return self._run_reference(current, initial, True, states)
        last, history = tuple(initial), []
        for x in current.unbind(0):
            _, _, last = self._run_native(x, numbers, list(last), False, False)
            history.append(last)
        fired, *others = (torch.stack(steps) for steps in zip(*history, strict=True))
        spikes = pack_if_binary(fired).to(current.dtype)
        return Run(spikes, (spikes, *others) if states else (), last)


_NONE = torch.zeros((), dtype=torch.float32, device="cpu")
