"""What all neurons share: snnTorch's arguments, members and calling conventions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from warnings import warn

import torch
from torch import Tensor

from bitspike import checkpoint
from bitspike.arguments import expect_choice
from bitspike.state import HiddenState

from .constants import expect_broadcast, held, note_unit_spikes, register, set_firing
from .firing import Firing
from .inhibition import KWTA
from .inputs import current_of, states_before
from .overridden import are_common, overridden_by_class
from .reset import Reset, expect_offered, take_over_mechanism
from .run import Run, refusal, run, run_native, run_reference
from .usual_call import usual_call

_COMMON = ("run", "state_shapes", "_refusal", "_numbers", "_run_native")
"""What all neurons do alike in a call, unless a class says otherwise."""
_STARTED = ("run", "state_shapes", "rest", "_first", "_at_rest", "_kept")
"""What they do alike in a call with a sequence that runs as a program."""

Result = Any
"""``spikes`` or ``(spikes, *states)``: snnTorch's flags decide, in :meth:`SpikingNeuron._call`."""


class SpikingNeuron(HiddenState):
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

    NAME: ClassVar[str] = ""
    """Its name in the native module, or empty if it has no kernel."""
    PARAMETERS: ClassVar[tuple[str, ...]] = ()
    """The names of the parameters of its equation."""
    RESETS: ClassVar[tuple[str, ...]] = ("subtract", "zero", "none")
    """The resets that the neuron offers."""
    IMMEDIATE: ClassVar[bool] = False
    """Whether a reset may also act within the step that fires, ``reset_delay=False``."""
    reset_dict: ClassVar[dict[str, int]] = {"subtract": 0, "zero": 1, "none": 2, "subtract_beta": 3}

    spike_grad: Callable[[Tensor], Tensor]
    threshold: Tensor
    graded_spikes_factor: Tensor
    reset_mechanism_val: Tensor

    step: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    """``step(current, *states) -> (spikes, states)``: one step in torch."""

    _overridden: ClassVar[str | None] = None
    """A method of the class that kernels stand in for, and that is not the library's own."""
    _is_usual: ClassVar[bool] = False
    """Whether calls of this class are made as those of most neurons."""
    _starts_as_usual: ClassVar[bool] = False
    """Whether sequences start and run as those of most neurons."""
    _constant = register
    _refusal = refusal
    _run_native = run_native
    _run_reference = run_reference

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._overridden = overridden_by_class(cls)
        cls._is_usual = bool(cls.NAME) and are_common(cls, SpikingNeuron, _COMMON)
        cls._starts_as_usual = are_common(cls, SpikingNeuron, _STARTED)

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
        super().__init__()
        expect_offered(self, reset_mechanism, reset_delay)
        expect_choice("order", order, ("integrate_first", "fire_first"))
        expect_choice("fire_at", fire_at, ("gt", "ge"))
        low, high = spike_range
        if not low <= 0 < high:
            raise ValueError(f"spike_range must be (low <= 0, high >= 1), not {spike_range}")
        if not isinstance(inhibition, bool | KWTA):
            raise TypeError(f"inhibition must be True, False or a KWTA, not {inhibition!r}")
        self.inhibition = inhibition
        self.state_quant = state_quant
        self.reset_delay = reset_delay
        self.detach_reset = detach_reset
        self.order = order
        self.fire_at = fire_at
        self.spike_range = (int(low), int(high))
        self._reset_mechanism = reset_mechanism
        self.init_hidden = init_hidden
        self.output = output
        self.multi_step = multi_step
        set_firing(
            self,
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_threshold=learn_threshold,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
        )
        self.register_buffer("reset_mechanism_val", torch.tensor(self.reset_dict[reset_mechanism]))
        if inhibition is True:
            warn(
                "inhibition works on dense layers [B, N]; suppressed neurons are reset as in "
                "snnTorch although they did not fire",
                UserWarning,
                stacklevel=4,
            )

    @property
    def reset_mechanism(self) -> str:
        """The reset in force; setting it changes the update and ``reset_mechanism_val``."""
        return self._reset_mechanism

    @reset_mechanism.setter
    def reset_mechanism(self, mechanism: str) -> None:
        expect_offered(self, mechanism, self.reset_delay)
        self._reset_mechanism = mechanism
        self.reset_mechanism_val.fill_(self.reset_dict[mechanism])

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        note_unit_spikes(self)
        take_over_mechanism(self)

    def coefficients(self) -> tuple[Tensor, ...]:
        """The parameters as the equation uses them, for instance with decays clamped."""
        return tuple([held(self, name) for name in self.PARAMETERS])

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """The shape of each state, for an input whose steps have this shape.

        Raises:
            ValueError: if the neuron cannot take such a step.
        """
        return (step,) * len(self.STATES)

    def level(self, *states: Tensor) -> Tensor:
        """What is compared with the threshold: the membrane, which is the last of the states.

        A neuron that fires by another quantity overrides it, as `ALIF` does, whose adaptation is
        subtracted from the membrane.
        """
        return states[-1]

    def firing_threshold(self) -> Tensor:
        """What the level is compared with, and what ``"subtract"`` subtracts."""
        return held(self, "threshold")

    @property
    def _reset_rule(self) -> Reset:
        return Reset(self._reset_mechanism, self.reset_delay, self.spike_range == (0, 1))

    def _spike(self, level: Tensor) -> Tensor:
        """How many spikes a level fires; see :meth:`Firing.spikes`."""
        rule = Firing(self.spike_grad, self.fire_at, self.spike_range, self.inhibition)
        return rule.spikes(level, self.firing_threshold())

    def fire(self, mem: Tensor) -> Tensor:
        """Spikes where the membrane is above threshold, times the graded factor."""
        return self._spike(self._quantised(mem)) * self.graded_spikes_factor

    def _quantised(self, state: Tensor) -> Tensor:
        """A state as ``state_quant`` rounds it, if there is one."""
        return self.state_quant(state) if self.state_quant else state  # type: ignore[operator]

    def fire_inhibition(self, batch_size: int, mem: Tensor) -> Tensor:
        """A spike of the neuron furthest above threshold in each sample of ``[B, N]``.

        Raises:
            ValueError: for a membrane of another number of axes.
        """
        if mem.dim() != 2:
            raise ValueError(f"inhibition needs a membrane [B, N], not {tuple(mem.shape)}")
        above = mem - self.firing_threshold()
        winner = torch.zeros_like(above).scatter_(1, above.argmax(1, keepdim=True), 1)
        return self._spike(mem) * winner

    def mem_reset(self, mem: Tensor) -> Tensor:
        """The reset flag: how many spikes the membrane has fired.

        It carries no gradient unless ``detach_reset=False``. With a `KWTA` only winners fire, so
        only they are reset. With ``reset_delay=False`` too, they were reset in the step that fired,
        and the flag is 0: others above threshold have not fired.
        """
        if isinstance(self.inhibition, KWTA) and not self.reset_delay:
            return torch.zeros_like(mem)
        flag = self._spike(mem)
        return flag.detach() if self.detach_reset else flag

    def _fired(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """The spikes of a level, before and after scaling by the graded factor."""
        if self.inhibition is True:
            winner = self.fire_inhibition(level.size(0), level)
            return winner, winner
        if getattr(self.fire, "__func__", None) is not SpikingNeuron.fire:
            spikes = self.fire(level)
            return spikes / self.graded_spikes_factor, spikes
        fired = self._spike(level)
        return fired, fired * self.graded_spikes_factor

    def _fire_and_reset(self, mem: Tensor, flag: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes of an integrated membrane, and the membrane after an immediate reset."""
        mem = self._quantised(mem)
        fired, spikes = self._fired(mem)
        return spikes, self._reset_rule.at_once(mem, fired, flag, self.firing_threshold())

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
        return self._returned(run(self, current, initial, sequence, states), sequence)

    def _returned(self, result: Run, sequence: bool) -> Run:
        """What a call has computed, in the form in which it is returned."""
        return result

    def native_refusal(self, current: Tensor) -> str | None:
        """Why no kernel runs a call with this input, or None if one does.

        Without a kernel it runs as a program, unless `program.refusal` has a reason, too; then in
        torch.

        Example:
            >>> snn.Leaky(beta=0.9).native_refusal(torch.zeros(3, dtype=torch.float64))
            'input is torch.float64, and native kernels compute in float32'
        """
        return self._refusal(current, self._parts())

    def _parts(self) -> list[Tensor]:
        """The equation's coefficients, the threshold and the graded factor."""
        return [*self.coefficients(), self.firing_threshold(), held(self, "graded_spikes_factor")]

    def _numbers(self, shape: torch.Size) -> list[Tensor]:
        """The same, for a membrane of this shape.

        Raises:
            ValueError: if one does not broadcast against it.
        """
        numbers = self._parts()
        names = (*self.PARAMETERS, "threshold", "graded_spikes_factor")
        expect_broadcast(names, numbers, shape)
        return numbers

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
        checkpoint.note(self, self.init_hidden or (not sequence and given[0] is None))
        taken = usual_call(self, input_, given, sequence)
        if taken is not None:
            initial, (spikes, states, last) = taken
        else:
            current = current_of(input_, sequence, self.threshold.device)
            initial = states_before(self, current, given, sequence)
            wanted = sequence and (self.output or not self.init_hidden)
            spikes, states, last = self.run(current, initial, sequence=sequence, states=wanted)
        # Without init_hidden the next sequence starts from rest and needs no graph of this one.
        self._keep(
            None if sequence else tuple(initial),
            last,
            detached=sequence and not self.init_hidden,
        )
        if self.init_hidden and not self.output:
            return spikes
        return self._result(spikes, states if sequence else last)

    def _result(self, spikes: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Spikes and states, as a call returns them if it returns states."""
        return (spikes, *states)

    def _first(self, index: int, shape: torch.Size, dtype: torch.dtype, device: Any) -> Tensor:
        """The first value of a state that was neither passed nor kept."""
        return self._at_rest(index, shape, dtype, device)
