"""Running a neuron over one step or a sequence: natively, or in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike.arguments import expect_one_device
from bitspike.ops import route
from bitspike.ops.call import Call, Kind
from bitspike.reference_path import leave_kernels
from bitspike.spikes.dense import DenseSpikes, of_spikes
from bitspike.spikes.pack import packed
from bitspike.spikes.tensor import SpikeTensor
from bitspike.state import broadcasts

from .firing import Firing
from .layer import run_layer

Run = tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]
"""Spikes, the states of all steps if they are wanted, and the states after the last step."""


class Execution(Firing):
    """The functional form of a neuron: no hidden state is read or written."""

    NAME: ClassVar[str] = ""
    """Its name in the native module, or empty if it runs in torch only."""
    PARAMETERS: ClassVar[tuple[str, ...]] = ()
    """The names of the parameters of its equation."""

    step: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    """``step(current, *states) -> (spikes, states)``: one step in torch."""

    def coefficients(self) -> tuple[Tensor, ...]:
        """The parameters of the equation as it uses them: clamped, say."""
        return tuple(getattr(self, name) for name in self.PARAMETERS)

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """The shape of each state, for an input whose steps have this shape.

        Raises:
            ValueError: if the neuron cannot take such a step.
        """
        return (step,) * len(self.STATES)

    def run(self, current: Tensor, initial: list[Tensor], *, sequence: bool, states: bool) -> Run:
        """The functional form.

        Args:
            current: Input, one step ``[B, *]`` or a sequence ``[T, B, *]``.
            initial: The states before the first step, each ``[B, *]``.
            sequence: Whether the first axis of ``current`` is time.
            states: Whether the states of all steps are wanted.

        Returns:
            Spikes, the states of all steps if they are wanted, and the states after the last step.
        """
        step = current.shape[1:] if sequence else current.shape
        try:
            constants = self._constants(self.state_shapes(step)[-1])
        except RuntimeError:
            self._expect_one_device(current, initial)
            raise
        reason = self._refusal(current, constants)
        if reason is None:
            result = self._run_native(current, constants, initial, sequence, states)
        else:
            self._expect_one_device(current, initial)
            leave_kernels(type(self).__name__, reason, current, constants)
            result = self._run_reference(current, initial, sequence, states)
        if self.order == "fire_first":
            spikes, *others = result
            return self._before_update(spikes, initial, sequence), *others  # type: ignore[return-value]
        return result

    def _before_update(self, spikes: Tensor, initial: list[Tensor], sequence: bool) -> Tensor:
        """Spikes of the membranes that enter each step, given those of the membranes it leaves."""
        first = self.fire(self.level(*initial)).to(spikes.dtype)
        if not sequence:
            return of_spikes(first) if isinstance(spikes, DenseSpikes) else first
        if not len(spikes):
            return spikes
        first = first.unsqueeze(0)
        if isinstance(spikes, SpikeTensor):
            first = packed(first, len(spikes.features))
        return torch.cat([first, spikes[:-1]])

    def native_refusal(self, current: Tensor) -> str | None:
        """Why a call with this input runs in torch instead of natively, or None if it does not.

        Example:
            >>> snn.Leaky(beta=0.9).native_refusal(torch.zeros(3, dtype=torch.float64))
            'input is torch.float64, and native kernels compute in float32'
        """
        return self._refusal(current, self._parts())

    def _refusal(self, current: Tensor, constants: list[Tensor]) -> str | None:
        if not self.NAME:
            return f"{type(self).__name__} has no native form"
        reason = self._override_refusal() or self._surrogate_refusal()
        if reason is not None:
            return reason
        if self.inhibition:
            return "inhibition couples the neurons of a layer"
        if self.state_quant:
            return "state_quant is a function that only torch can call"
        if not self.detach_reset:
            return "the gradient of the reset is torch's (detach_reset=False)"
        if self.fire_at != "gt":
            return "native kernels fire above the threshold, not at it (fire_at='ge')"
        if self.spike_range != (0, 1):
            return f"native spikes are 0 or 1, not from {self.spike_range}"
        return route.refusal(current, constants)

    def _parts(self) -> list[Tensor]:
        """The equation's coefficients, the threshold and the graded factor."""
        return [*self.coefficients(), self.firing_threshold(), self.graded_spikes_factor]

    def _constants(self, shape: torch.Size) -> list[Tensor]:
        """The equation's coefficients, the threshold and the graded factor.

        Raises:
            ValueError: if one does not broadcast against a membrane of this shape.
        """
        values = self._parts()
        for i, value in enumerate(values):
            if value.numel() != 1 and not broadcasts(value.shape, shape):
                name = (*self.PARAMETERS, "threshold", "graded_spikes_factor")[i]
                raise ValueError(
                    f"{name} has shape {tuple(value.shape)}, which does not broadcast against the "
                    f"membrane of one step, {tuple(shape)}"
                )
        return values

    def _expect_one_device(self, current: Tensor, initial: list[Tensor]) -> None:
        """Names what torch would find on another device than the input.

        Raises:
            ValueError: for a parameter or a state there.
        """
        states = zip(self.STATES, initial, strict=True)
        numbers = (*self.named_parameters(), *self.named_buffers(), *states)
        expect_one_device(current, "input_", numbers)

    def _kind(self) -> Kind:
        """What the kernel computes."""
        surrogate: Any = self.spike_grad
        reset = self._reset_mechanism, not self.reset_delay
        return Kind(self.NAME, *reset, surrogate.NAME, surrogate.parameters)

    def _run_native(
        self,
        current: Tensor,
        constants: list[Tensor],
        initial: list[Tensor],
        sequence: bool,
        states: bool,
    ) -> Run:
        spikes_type: type[Tensor] = Tensor
        if self._spikes_are_bits():
            if sequence:
                spikes_type = SpikeTensor
            elif current.dtype is torch.float32 and not route.is_watched():
                spikes_type = DenseSpikes
        spikes, *results = run_layer(
            Call(self._kind(), sequence, states, len(constants), spikes_type),
            floats([current, *constants, *initial]),
        )
        count = len(initial)
        if current.dtype is not torch.float32:
            spikes = spikes.to(current.dtype)
        return spikes, tuple(results[:-count]), tuple(results[-count:])

    def _run_reference(
        self, current: Tensor, initial: list[Tensor], sequence: bool, states: bool
    ) -> Run:
        dtype = current.dtype
        if dtype in (torch.bfloat16, torch.float16):
            current = current.float()
        last: tuple[Tensor, ...] = tuple(initial)
        if not sequence:
            spikes, last = self.step(current, *last)
            return spikes.to(dtype), (), last
        trains, history = [], []
        for x in current.unbind(0):
            spikes, last = self.step(x, *last)
            trains.append(spikes)
            history.append(last)
        if not trains:
            # Spikes need not be shaped like the input: one step of nothing tells.
            with torch.no_grad():
                one, _ = self.step(current.new_zeros(current.shape[1:]), *last)
            none = tuple(x.new_zeros(0, *x.shape) for x in initial if states)
            return one.new_zeros(0, *one.shape, dtype=dtype), none, last
        all_steps = (
            tuple(torch.stack(steps) for steps in zip(*history, strict=True)) if states else ()
        )
        return torch.stack(trains).to(dtype), all_steps, last


def floats(tensors: list[Tensor]) -> list[Tensor]:
    """The same tensors in float32, without a call for those that are."""
    return [x if x.dtype is torch.float32 else x.float() for x in tensors]
