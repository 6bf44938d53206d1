"""What all neurons share: snnTorch's members and calling conventions, firing and reset."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, ClassVar
from warnings import warn

import torch
from torch import Tensor, nn

from bitspike import surrogate
from bitspike.ops import _dispatch
from bitspike.ops._function import Layer
from bitspike.spike_tensor import SpikeTensor

Result = Any
"""``spikes`` or ``(spikes, *states)``: snnTorch's flags decide, in :meth:`SpikingNeuron._call`."""


class SpikingNeuron(nn.Module):
    """Base of all neurons: threshold, surrogate, reset, hidden state.

    A subclass names its states and parameters, and gives :meth:`step`: one step in torch, which is
    the specification of its native kernel and also what runs where there is none.

    Args:
        threshold: A neuron fires where its membrane is above it.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the state in the module.
        inhibition: Only the neuron furthest above threshold in each sample fires.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"subtract"``, ``"zero"``, ``"none"`` or ``"subtract_beta"``.
        state_quant: A function applied to the states after each update, or False.
        output: Return states also with ``init_hidden``.
        graded_spikes_factor: What a spike counts.
        learn_graded_spikes_factor: Make it a parameter.
        reset_delay: Reset one step after the spike.
        multi_step: Take a whole sequence per call.
    """

    instances: ClassVar[weakref.WeakSet[SpikingNeuron]] = weakref.WeakSet()
    """The neurons that are alive."""
    reset_dict: ClassVar[dict[str, int]] = {"subtract": 0, "zero": 1, "none": 2, "subtract_beta": 3}

    NAME: ClassVar[str] = ""
    """Its name in the native module."""
    STATES: ClassVar[tuple[str, ...]] = ()
    """The names of its states, in the order in which calls return them."""
    PARAMETERS: ClassVar[tuple[str, ...]] = ()
    """The names of the parameters of its equation."""

    threshold: Tensor
    graded_spikes_factor: Tensor
    reset_mechanism_val: Tensor

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
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
        super().__init__()
        self._check_reset(reset_mechanism, reset_delay)
        if surrogate_disable:
            self.spike_grad: Callable[[Tensor], Tensor] = surrogate.Disabled()
        else:
            self.spike_grad = surrogate.atan() if spike_grad is None else spike_grad
        self.init_hidden = init_hidden
        self.inhibition = inhibition
        self.output = output
        self.surrogate_disable = surrogate_disable
        self.state_quant = state_quant
        self.reset_delay = reset_delay
        self.multi_step = multi_step
        self._reset_mechanism = reset_mechanism
        self._constant("threshold", threshold, learn_threshold)
        self._constant("graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor)
        self.register_buffer("reset_mechanism_val", torch.tensor(self.reset_dict[reset_mechanism]))
        self._note_unit_spikes()
        self._clear_states()
        if inhibition:
            warn(
                "inhibition works on dense layers [B, N]; suppressed neurons are reset as in "
                "snnTorch although they did not fire",
                UserWarning,
                stacklevel=4,
            )
        SpikingNeuron.instances.add(self)

    def _constant(self, name: str, value: float | Tensor, learn: bool) -> None:
        """Registers a number of the equation, as a parameter if it is learned."""
        tensor = torch.as_tensor(value)
        if not tensor.is_floating_point():
            tensor = tensor.to(torch.get_default_dtype())
        if learn:
            setattr(self, name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)

    # Reset

    def _check_reset(self, mechanism: str, delay: bool) -> None:
        if mechanism not in self.reset_dict:
            raise ValueError(
                f"reset_mechanism must be one of {', '.join(self.reset_dict)}, not {mechanism!r}"
            )
        if mechanism == "subtract_beta" and not delay:
            raise ValueError(
                "reset_mechanism='subtract_beta' needs reset_delay=True: an immediate subtraction "
                "is scaled by beta at the next step anyway"
            )

    @property
    def reset_mechanism(self) -> str:
        """The reset in force; setting it changes the update and ``reset_mechanism_val``."""
        return self._reset_mechanism

    @reset_mechanism.setter
    def reset_mechanism(self, mechanism: str) -> None:
        self._check_reset(mechanism, self.reset_delay)
        self._reset_mechanism = mechanism
        self.reset_mechanism_val.fill_(self.reset_dict[mechanism])

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        mechanism = list(self.reset_dict)[int(self.reset_mechanism_val)]
        if mechanism != self._reset_mechanism:
            warn(
                f"the state dict was saved with reset_mechanism={mechanism!r}, which replaces "
                f"{self._reset_mechanism!r}",
                UserWarning,
                stacklevel=2,
            )
            self._reset_mechanism = mechanism
        self._note_unit_spikes()

    def _note_unit_spikes(self) -> None:
        """Remembers, for compiled code, which cannot look, whether a spike counts exactly 1."""
        factor = self.graded_spikes_factor
        fixed = not factor.requires_grad and factor.device.type != "meta"
        self._unit_spikes = fixed and bool((factor == 1).all())

    # One step

    def step(self, current: Tensor, *states: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: spikes and new states."""
        raise NotImplementedError

    def fire(self, mem: Tensor) -> Tensor:
        """Spikes where the membrane is above threshold, times the graded factor."""
        if self.state_quant:
            mem = self.state_quant(mem)  # type: ignore[operator]
        return self.spike_grad(mem - self.threshold) * self.graded_spikes_factor

    def fire_inhibition(self, batch_size: int, mem: Tensor) -> Tensor:
        """A spike of the neuron furthest above threshold in each sample of ``[B, N]``.

        Raises:
            ValueError: for a membrane of another number of axes.
        """
        if mem.dim() != 2:
            raise ValueError(f"inhibition needs a membrane [B, N], not {tuple(mem.shape)}")
        above = mem - self.threshold
        winner = torch.zeros_like(above).scatter_(1, above.argmax(1, keepdim=True), 1)
        return self.spike_grad(above) * winner

    def mem_reset(self, mem: Tensor) -> Tensor:
        """The reset flag: 1 where the membrane is above threshold, without gradient."""
        return self.spike_grad(mem - self.threshold).detach()

    def _subtract(self, mem: Tensor, reset: Tensor, decay: Tensor) -> Tensor:
        """The part of a delayed reset that follows integration."""
        if self._reset_mechanism == "subtract":
            return mem - reset * self.threshold
        if self._reset_mechanism == "subtract_beta":
            return mem - reset * (decay * self.threshold)
        return mem

    def _fire_and_reset(self, mem: Tensor, reset: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes of an integrated membrane, and the membrane after an immediate reset."""
        if self.state_quant:
            mem = self.state_quant(mem)  # type: ignore[operator]
        if self.inhibition:
            fired = spikes = self.fire_inhibition(mem.size(0), mem)
        else:
            fired = self.spike_grad(mem - self.threshold)
            spikes = fired * self.graded_spikes_factor
        if not self.reset_delay:
            # What the delayed rule has subtracted already is not subtracted again.
            if self._reset_mechanism == "subtract":
                mem = mem - (fired - reset) * self.threshold
            elif self._reset_mechanism == "zero":
                # A silent neuron is left alone: snnTorch would double its membrane.
                mem = mem - (fired - reset * fired.detach()) * mem
        return spikes, mem

    # Calls

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
        object.__setattr__(self, "_before", initial[-1])
        for name, state in zip(self.STATES, last):
            # A sequence that starts from zeros has no use for the graph of the one before.
            keep = self.init_hidden or not sequence
            object.__setattr__(self, name, state if keep else state.detach())
        if self.init_hidden and not self.output:
            return spikes
        return (spikes, *(states if sequence else last))

    def _current(self, input_: Any, sequence: bool) -> Tensor:
        """The input as a dense floating-point tensor."""
        if not isinstance(input_, Tensor):
            input_ = torch.as_tensor(input_)
        if isinstance(input_, SpikeTensor):
            # Multiplication unpacks inside autograd's sight.
            input_ = input_ * 1
        if input_.is_complex():
            raise TypeError(f"input_ must be real, not {input_.dtype}")
        if not input_.is_floating_point():
            input_ = input_.to(torch.get_default_dtype())
        if sequence and input_.dim() == 0:
            raise ValueError("input_ must be a sequence [T, B, *], not a number")
        return input_

    def _initial(
        self, current: Tensor, given: tuple[Tensor | None, ...], sequence: bool
    ) -> list[Tensor]:
        """The states before the call: those given, or stored ones that fit, or zeros."""
        shape = current.shape[1:] if sequence else current.shape
        half = current.dtype in (torch.bfloat16, torch.float16)
        reuse = self.init_hidden or not sequence
        initial = []
        for name, state in zip(self.STATES, given):
            if state is None and reuse:
                state = getattr(self, name)
            if state is not None and not isinstance(state, Tensor):
                state = torch.as_tensor(state, dtype=current.dtype, device=current.device)
            if state is None or state.shape != shape:
                if sequence and state is not None and state.numel() and not self.init_hidden:
                    raise ValueError(
                        f"{name} has shape {tuple(state.shape)}, but one step of the input has "
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
        constants = self._constants(current.shape[1:] if sequence else current.shape)
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
            ValueError: if one does not broadcast against one step.
        """
        names = self._constant_names()
        values = [getattr(self, name) for name in names]
        for name, value in zip(names, values):
            if value.numel() != 1 and not _broadcasts(value.shape, shape):
                raise ValueError(
                    f"{name} has shape {tuple(value.shape)}, which does not broadcast against one "
                    f"step of the input, {tuple(shape)}"
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
        return spikes, tuple(results[:-count]), tuple(results[-count:])

    def _spikes_are_bits(self) -> bool:
        factor = self.graded_spikes_factor
        if torch.compiler.is_compiling():
            return self._unit_spikes
        return not factor.requires_grad and factor.numel() == 1 and factor.item() == 1

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
            return torch.zeros_like(current, dtype=dtype), tuple(
                torch.zeros_like(current) for _ in initial if states
            ), last
        all_steps = tuple(torch.stack(steps) for steps in zip(*history)) if states else ()
        return torch.stack(trains).to(dtype), all_steps, last

    # State

    @property
    def reset(self) -> Tensor:
        """The reset flag of the last step."""
        return self.mem_reset(self._before.detach())

    def _clear_states(self) -> None:
        for name in (*self.STATES, "_before"):
            object.__setattr__(self, name, torch.zeros(0))

    def reset_mem(self) -> Any:
        """Zeroes the states and returns them."""
        states = [torch.zeros_like(getattr(self, name).detach()) for name in self.STATES]
        for name, state in zip(self.STATES, states):
            object.__setattr__(self, name, state)
        return states[0] if len(states) == 1 else tuple(states)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> SpikingNeuron:
        super()._apply(fn, recurse)
        for name in (*self.STATES, "_before"):
            object.__setattr__(self, name, fn(getattr(self, name)))
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Hidden state belongs to a run, not to a model: it is neither pickled nor copied."""
        state = self.__dict__.copy()
        for name in (*self.STATES, "_before"):
            state[name] = torch.zeros(0)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:  # noqa: D105
        super().__setstate__(state)
        SpikingNeuron.instances.add(self)

    @classmethod
    def detach_hidden(cls) -> None:
        """Cuts the hidden states of all living neurons of this class off their graph."""
        for neuron in list(SpikingNeuron.instances):
            if isinstance(neuron, cls):
                for name in neuron.STATES:
                    object.__setattr__(neuron, name, getattr(neuron, name).detach())

    @classmethod
    def reset_hidden(cls) -> None:
        """Zeroes the hidden states of all living neurons of this class."""
        for neuron in list(SpikingNeuron.instances):
            if isinstance(neuron, cls):
                neuron.reset_mem()

    @classmethod
    def init(cls) -> None:
        """Forgets all living neurons: `detach_hidden` and `reset_hidden` pass them over."""
        SpikingNeuron.instances.clear()

    @staticmethod
    def detach(*states: Tensor) -> None:
        """Cuts states off their graph, in place."""
        for state in states:
            state.detach_()

    @staticmethod
    def zeros(*states: Tensor) -> None:
        """Sets states to zero, in place."""
        for state in states:
            state.zero_()


class LIF(SpikingNeuron):
    """Base of the leaky neurons: adds the decay ``beta``.

    Args:
        beta: Decay per step, clamped to ``[0, 1]`` in use.
        threshold, spike_grad, surrogate_disable, init_hidden, inhibition: See `SpikingNeuron`.
        learn_beta: Make ``beta`` a parameter.
        learn_threshold, reset_mechanism, state_quant, output: See `SpikingNeuron`.
        graded_spikes_factor, learn_graded_spikes_factor: See `SpikingNeuron`.
        reset_delay, multi_step: See `SpikingNeuron`.
    """

    beta: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        graded_spikes_factor: float | Tensor = 1.0,
        learn_graded_spikes_factor: bool = False,
        reset_delay: bool = True,
        *,
        multi_step: bool = False,
    ) -> None:
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
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
            reset_delay=reset_delay,
            multi_step=multi_step,
        )
        self._constant("beta", beta, learn_beta)


def _broadcasts(shape: torch.Size, target: torch.Size) -> bool:
    if len(shape) > len(target):
        return False
    return all(size in (1, wanted) for size, wanted in zip(shape[::-1], target[::-1]))
