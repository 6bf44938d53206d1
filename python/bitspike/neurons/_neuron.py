"""What all neurons share: snnTorch's calling conventions, and native or reference execution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike import surrogate
from bitspike.dense_spikes import DenseSpikes, of_spikes
from bitspike.ops import _dispatch
from bitspike.ops._function import Layer
from bitspike.spike_tensor import SpikeTensor

from ._firing import Firing
from ._inhibition import KWTA

Result = Any
"""``spikes`` or ``(spikes, *states)``: snnTorch's flags decide, in :meth:`SpikingNeuron._call`."""


class SpikingNeuron(Firing):
    """Base of all neurons: threshold, surrogate, reset, hidden state.

    A subclass names its states and parameters, and gives :meth:`step`: one step in torch, which is
    the specification of its native kernel and also what runs where there is none.

    Args:
        threshold: A neuron fires where its membrane is above it.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the state in the module.
        inhibition: Only the neuron furthest above threshold in each sample fires; or a `KWTA`.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"subtract"``, ``"zero"``, ``"none"`` or ``"subtract_beta"``.
        state_quant: A function applied to the states after each update, or False.
        output: Return states also with ``init_hidden``.
        graded_spikes_factor: What a spike counts.
        learn_graded_spikes_factor: Make it a parameter.
        reset_delay: Reset one step after the spike.
        multi_step: Take a whole sequence per call.
    """

    NAME: ClassVar[str] = ""
    """Its name in the native module, or empty if it has no kernel and runs in torch only."""
    PARAMETERS: ClassVar[tuple[str, ...]] = ()
    """The names of the parameters of its equation."""

    step: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    """``step(current, *states) -> (spikes, states)``: one step in torch."""

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool | KWTA = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        graded_spikes_factor: float | Tensor = 1.0,
        learn_graded_spikes_factor: bool = False,
        *,
        reset_delay: bool = True,
        multi_step: bool = False,
    ) -> None:
        super().__init__(
            threshold,
            spike_grad,
            surrogate_disable,
            inhibition,
            learn_threshold,
            reset_mechanism,
            state_quant,
            graded_spikes_factor,
            learn_graded_spikes_factor,
            reset_delay,
        )
        self.init_hidden = init_hidden
        self.output = output
        self.multi_step = multi_step

    @property
    def reset(self) -> Tensor:
        """The reset flag of the last step."""
        return self.mem_reset(self._before.detach())

    def run_sequence(self, input_: Tensor) -> Result:
        """A call with a whole sequence ``[T, B, *]``, whatever ``multi_step`` says."""
        return self._call(input_, (None,) * len(self.STATES), sequence=True)

    def _call(
        self, input_: Tensor, given: tuple[Tensor | None, ...], sequence: bool | None = None
    ) -> Result:
        """A call as snnTorch defines it, of one step or of a sequence."""
        sequence = self.multi_step if sequence is None else sequence
        if self.init_hidden and any(state is not None for state in given):
            raise TypeError(
                f"{self.STATES[0]} must not be passed to a neuron with init_hidden=True, which "
                "keeps its own"
            )
        current = self._current(input_, sequence)
        initial = self._initial(current, given, sequence)
        wanted = sequence and (self.output or not self.init_hidden)
        spikes, states, last = self.run(current, initial, sequence=sequence, states=wanted)
        # A sequence that starts from zeros has no use for the graph of the one before.
        self._keep(initial[-1], last, detached=sequence and not self.init_hidden)
        if self.init_hidden and not self.output:
            return spikes
        return (spikes, *(states if sequence else last))

    def _current(self, input_: Any, sequence: bool) -> Tensor:
        """The input as a dense floating-point tensor."""
        current = input_ if isinstance(input_, Tensor) else torch.as_tensor(input_)
        if isinstance(current, SpikeTensor):
            # Multiplication unpacks inside autograd's sight.
            current = current * 1
        elif isinstance(current, DenseSpikes):
            # A current is a number like any other.
            current = current.as_subclass(Tensor)
        if current.is_complex():
            raise TypeError(f"input_ must be real, not {current.dtype}")
        if not current.is_floating_point():
            current = current.to(torch.get_default_dtype())
        if sequence and current.dim() == 0:
            raise ValueError("input_ must be a sequence [T, B, *], not a number")
        return current

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """The shape of each state for one step of the input; by default that of the step itself.

        Raises:
            ValueError: if the neuron cannot take such a step.
        """
        return (step,) * len(self.STATES)

    def _initial(
        self, current: Tensor, given: tuple[Tensor | None, ...], sequence: bool
    ) -> list[Tensor]:
        """The states before the call: those given, or stored ones that fit, or zeros."""
        shapes = self.state_shapes(current.shape[1:] if sequence else current.shape)
        half = current.dtype in (torch.bfloat16, torch.float16)
        reuse = self.init_hidden or not sequence
        initial = []
        for name, state, shape in zip(self.STATES, given, shapes, strict=True):
            if state is None and reuse:
                state = getattr(self, name)
            if state is not None and not isinstance(state, Tensor):
                state = torch.as_tensor(state, dtype=current.dtype, device=current.device)
            if state is None or state.shape != shape:
                if sequence and state is not None and state.numel() and not self.init_hidden:
                    raise ValueError(
                        f"{name} has shape {tuple(state.shape)}, but for this input it must have "
                        f"shape {tuple(shape)}"
                    )
                state = torch.zeros(
                    shape, dtype=torch.float32 if half else current.dtype, device=current.device
                )
            initial.append(state)
        return initial

    def run(
        self, current: Tensor, initial: list[Tensor], *, sequence: bool, states: bool
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The functional form: no hidden state is read or written.

        Args:
            current: Input, one step ``[B, *]`` or a sequence ``[T, B, *]``.
            initial: The states before the first step, each ``[B, *]``.
            sequence: Whether the first axis of ``current`` is time.
            states: Whether the states of all steps are wanted.

        Returns:
            Spikes, the states of all steps if they are wanted, and the states after the last step.
        """
        step = current.shape[1:] if sequence else current.shape
        constants = self._constants(self.state_shapes(step)[-1])
        reason = self.native_refusal(current)
        if reason is not None:
            _dispatch.require_native(reason)
            return self._run_reference(current, initial, sequence, states)
        return self._run_native(current, constants, initial, sequence, states)

    def native_refusal(self, current: Tensor) -> str | None:
        """Why a call with this input runs in torch instead of natively, or None if it does not.

        Example:
            >>> snn.Leaky(beta=0.9).native_refusal(torch.zeros(3, dtype=torch.float64))
            'input is torch.float64, and native kernels compute in float32'
        """
        if not self.NAME:
            return f"{type(self).__name__} has no native kernel"
        if not isinstance(self.spike_grad, surrogate.Surrogate):
            return "spike_grad is a function that only torch can call"
        if not self.spike_grad.is_native():
            return f"{self.spike_grad} has no native form"
        if self.inhibition:
            return "inhibition couples the neurons of a layer"
        if self.state_quant:
            return "state_quant is a function that only torch can call"
        return _dispatch.refusal(current, [getattr(self, name) for name in self._constant_names()])

    def _constant_names(self) -> tuple[str, ...]:
        return (*self.PARAMETERS, "threshold", "graded_spikes_factor")

    def _constants(self, shape: torch.Size) -> list[Tensor]:
        """The equation's parameters, the threshold and the graded factor.

        Raises:
            ValueError: if one does not broadcast against a membrane of this shape.
        """
        names = self._constant_names()
        values = [getattr(self, name) for name in names]
        for name, value in zip(names, values, strict=True):
            if value.numel() != 1 and not _broadcasts(value.shape, shape):
                raise ValueError(
                    f"{name} has shape {tuple(value.shape)}, which does not broadcast against the "
                    f"membrane of one step, {tuple(shape)}"
                )
        return values

    def _run_native(
        self,
        current: Tensor,
        constants: list[Tensor],
        initial: list[Tensor],
        sequence: bool,
        states: bool,
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        decays = len(self.PARAMETERS)
        constants = [
            x.float().clamp(0, 1) if i < decays else x.float() for i, x in enumerate(constants)
        ]
        packed = sequence and self._spikes_are_bits()
        spikes, *results = Layer.apply(
            (self.NAME, self._reset_mechanism, not self.reset_delay),
            (self.spike_grad.NAME, self.spike_grad.parameters),  # type: ignore[attr-defined]
            (sequence, packed, states),
            len(constants),
            current.float(),
            *constants,
            *(x.float() for x in initial),
        )
        count = len(initial)
        if spikes.dtype != current.dtype:
            spikes = spikes.to(current.dtype)
        elif not packed and self._spikes_are_bits() and not torch.compiler.is_compiling():
            spikes = of_spikes(spikes)
        return spikes, tuple(results[:-count]), tuple(results[-count:])

    def _run_reference(
        self, current: Tensor, initial: list[Tensor], sequence: bool, states: bool
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
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
            empty = tuple(state.new_zeros(0, *state.shape) for state in last if states)
            return one.new_zeros(0, *one.shape, dtype=dtype), empty, last
        all_steps = (
            tuple(torch.stack(steps) for steps in zip(*history, strict=True)) if states else ()
        )
        return torch.stack(trains).to(dtype), all_steps, last


def _broadcasts(shape: torch.Size, target: torch.Size) -> bool:
    tail = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(
        size in (1, wanted) for size, wanted in zip(shape, tail, strict=True)
    )
