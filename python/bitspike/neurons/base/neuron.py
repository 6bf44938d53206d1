"""What all neurons share: snnTorch's arguments and calling conventions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bitspike import checkpoint as checkpoint
from bitspike.arguments import as_tensor
from bitspike.spikes.dense import DenseSpikes
from bitspike.spikes.tensor import SpikeTensor
from bitspike.state import is_alive, savable

from .execution import Execution
from .inhibition import KWTA

Result = Any
"""``spikes`` or ``(spikes, *states)``: snnTorch's flags decide, in :meth:`SpikingNeuron._call`."""


class SpikingNeuron(Execution):
    """Base of all neurons: threshold, surrogate, reset, hidden state.

    A subclass names its ``STATES`` and ``PARAMETERS``, and gives ``step``: one step in torch, which
    is the specification of its native kernel and also what runs where there is none.

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
        detach_reset: Do not send gradients through the reset; False sends them, in torch.
        order: ``"integrate_first"`` fires with the membrane that the step leaves, ``"fire_first"``
            with the one that it was given: the same spikes, one step later.
        fire_at: ``"gt"`` fires above the threshold, ``"ge"`` also at it, in torch.
        spike_range: The lowest and highest number of spikes per step: ``(-1, 1)`` for signed
            (ternary) spikes, ``(0, n)`` for up to ``n``, one for each multiple of the threshold
            that the membrane is above. Others than ``(0, 1)`` run in torch.
        multi_step: Take a whole sequence per call.
    """

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
        detach_reset: bool = True,
        order: str = "integrate_first",
        fire_at: str = "gt",
        spike_range: tuple[int, int] = (0, 1),
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
            detach_reset,
            order,
            fire_at,
            spike_range,
        )
        self.init_hidden = init_hidden
        self.output = output
        self.multi_step = multi_step

    @property
    def reset(self) -> Tensor:
        """The reset flag of the last single step.

        Raises:
            AttributeError: before the first, and after a whole sequence, so that ``hasattr`` is
                False, as before the first call of snnTorch's neurons.
        """
        if self._before is None:
            raise AttributeError("reset is the flag of a single step, and there was none before")
        return self.mem_reset(self.level(*self._before)).detach()

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
        checkpoint.note(self, self.init_hidden or (not sequence and given[0] is None))
        initial = self._initial(current, given, sequence)
        wanted = sequence and (self.output or not self.init_hidden)
        spikes, states, last = self.run(current, initial, sequence=sequence, states=wanted)
        # A sequence that starts from rest has no use for the graph of the one before.
        self._keep(
            None if sequence else tuple(initial),
            last,
            detached=sequence and not self.init_hidden,
        )
        if self.init_hidden and not self.output:
            return spikes
        return self._result(spikes, states if sequence else last)

    def _result(self, spikes: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What a call returns that returns states."""
        return (spikes, *states)

    def _current(self, input_: Any, sequence: bool) -> Tensor:
        """The input as a dense floating-point tensor."""
        if not isinstance(input_, Tensor) and hasattr(input_, "__torch_function__"):
            # What is no tensor but defines torch functions, as brevitas's results do, gives its
            # numbers to any of them.
            input_ = torch.positive(input_)
        current = (
            input_
            if isinstance(input_, Tensor)
            else torch.as_tensor(input_, device=self.threshold.device)
        )
        if isinstance(current, SpikeTensor):
            # Multiplication unpacks inside autograd's sight.
            current = current * 1
        elif isinstance(current, DenseSpikes):
            # A current is a number like any other.
            current = current.as_subclass(Tensor)
        ordinary = current.dtype is torch.float32 and current.layout is torch.strided
        inference = not torch.compiler.is_compiling() and current.is_inference()
        if not ordinary or current.is_nested or inference:
            current = as_tensor(current, "input_")
            if not current.is_floating_point():
                current = current.to(torch.get_default_dtype())
        if sequence and current.dim() == 0:
            raise ValueError("input_ must be a sequence [T, B, *], not a number")
        return current

    def _given(self, name: str, state: Any, current: Tensor) -> Any:
        """A state that was given, which its owner may overwrite with the next one.

        Nobody does that with what the neuron itself has returned, nor with what is no tensor.
        """
        compiled = torch.compiler.is_compiling()  # whose Dynamo warns of a kept state with a graph
        if not isinstance(state, Tensor) or not compiled and state is getattr(self, name):
            return state
        if not (state.is_floating_point() or state.is_complex() or state.is_quantized):
            # Or else what it meets would be cut to whole numbers: the weights of a connection.
            state = state.to(torch.promote_types(current.dtype, torch.float32))
        if compiled:
            return state
        if isinstance(state, SpikeTensor):
            return state * 1
        state = as_tensor(state, name)
        if not (state.is_cpu and current.is_cpu) and state.device != current.device:
            raise ValueError(f"{name} is on {state.device}, but input_ on {current.device}")
        return state.clone() if torch.is_grad_enabled() else state

    def _first(self, index: int, shape: torch.Size, dtype: torch.dtype, device: Any) -> Tensor:
        """A state that nobody has given or kept."""
        return self._at_rest(index, shape, dtype, device)

    def _initial(
        self, current: Tensor, given: tuple[Tensor | None, ...], sequence: bool
    ) -> list[Tensor]:
        """The states before the call: those given, or stored ones that fit, or at rest."""
        step = current.shape[1:] if sequence else current.shape
        half = current.dtype in (torch.bfloat16, torch.float16)
        reuse = self.init_hidden or not sequence
        initial = []
        shapes = zip(self.STATES, given, self._kept(), self.state_shapes(step), strict=True)
        for i, (name, state, kept, shape) in enumerate(shapes):
            if state is not None:
                state = self._given(name, state, current)
            elif reuse and is_alive(kept):
                state = kept
            if state is not None and not isinstance(state, Tensor):
                state = torch.as_tensor(state, dtype=current.dtype, device=current.device)
            if state is None or state.shape != shape:
                if sequence and state is not None and state.numel() and not self.init_hidden:
                    raise ValueError(
                        f"{name} has shape {tuple(state.shape)}, but this input needs "
                        f"{tuple(shape)}"
                    )
                dtype = torch.float32 if half else current.dtype
                state = self._first(i, shape, dtype, current.device)
            initial.append(savable(state))
        return initial
