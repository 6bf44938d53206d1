"""Hidden state: kept beside a module's parameters, but no part of the model."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitspike.ops.route import is_exporting


class HiddenState(nn.Module):
    """States as plain attributes, empty before first use.

    They move with ``.to()``. They are not buffers, which distributed training would broadcast, are
    not in the ``state_dict``, and are neither pickled nor copied.
    """

    STATES: ClassVar[tuple[str, ...]] = ()
    """The names of the states, in the order in which calls return them."""

    instances: ClassVar[weakref.WeakSet[HiddenState]] = weakref.WeakSet()
    """All neurons that exist, for `reset_hidden` and `detach_hidden` of their class."""

    _before: tuple[Tensor, ...] | None
    """The states before the last call, if that was of a single step."""

    def __init__(self) -> None:
        super().__init__()
        self._clear_states()
        HiddenState.instances.add(self)

    def _keep(
        self, before: tuple[Tensor, ...] | None, states: tuple[Tensor, ...], detached: bool
    ) -> None:
        """Stores the states after a call, and those before it."""
        exported = _Exported.of(self)
        if exported is not None:
            exported.states = states
            return
        object.__setattr__(self, "_before", before)
        for name, state in zip(self.STATES, states, strict=True):
            cut = detached and state.requires_grad
            object.__setattr__(self, name, state.detach() if cut else state)

    def _kept(self) -> list[Tensor]:
        """The states after the last call."""
        exported = _Exported.of(self)
        if exported is not None and exported.states:
            return list(exported.states)
        return [getattr(self, name) for name in self.STATES]

    def _hidden_state(self) -> dict[str, Any]:
        """All that a call may change, by attribute."""
        return {name: self.__dict__[name] for name in ("_before", *self.STATES)}

    def _clear_states(self) -> None:
        object.__setattr__(self, "_before", None)
        for name in self.STATES:
            object.__setattr__(self, name, torch.zeros(0))

    def rest(self) -> tuple[float | Tensor, ...]:
        """What each state starts from: its value at rest, which broadcasts against one step."""
        return (0.0,) * len(self.STATES)

    def _at_rest(self, index: int, shape: torch.Size, dtype: torch.dtype, device: Any) -> Tensor:
        """A state of this shape at rest.

        Raises:
            ValueError: if its resting value does not broadcast against the shape.
        """
        value = self.rest()[index]
        if not isinstance(value, Tensor):
            return torch.full(shape, value, dtype=dtype, device=device)
        if 0 in shape:
            return torch.empty(shape, dtype=dtype, device=device)
        if not broadcasts(value.shape, shape):
            raise ValueError(
                f"{self.STATES[index]} at rest has shape {tuple(value.shape)}, which does not "
                f"broadcast against one step of the input, {tuple(shape)}"
            )
        return value.to(device, dtype).expand(shape).clone()

    def reset_mem(self) -> Any:
        """Puts the states to rest, which is zero for most neurons, and returns them."""
        old = self._kept()
        # Training that follows an evaluation could not use states made in inference mode.
        with torch.inference_mode(False):
            states = [
                self._at_rest(i, x.shape, x.dtype, x.device).detach() for i, x in enumerate(old)
            ]
        self._keep(self._before, tuple(states), detached=False)
        return states[0] if len(states) == 1 else tuple(states)

    def detach_mem(self) -> None:
        """Cuts the states off their graph; their numbers stay."""
        if self._before is not None:
            object.__setattr__(self, "_before", tuple(x.detach() for x in self._before))
        for name in self.STATES:
            object.__setattr__(self, name, getattr(self, name).detach())

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> HiddenState:
        super()._apply(fn, recurse)
        for name in self.STATES:
            object.__setattr__(self, name, fn(getattr(self, name)))
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Hidden state belongs to a run, not to a model: it is neither pickled nor copied."""
        state = self.__dict__.copy()
        state["_before"] = None
        for name in self.STATES:
            state[name] = state[name].new_zeros(0)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        HiddenState.instances.add(self)

    @classmethod
    def detach_hidden(cls) -> None:
        """Cuts the hidden states of all living neurons of this class off their graph."""
        for neuron in list(HiddenState.instances):
            if isinstance(neuron, cls):
                neuron.detach_mem()

    @classmethod
    def reset_hidden(cls) -> None:
        """Puts the hidden states of all living neurons of this class to rest."""
        for neuron in list(HiddenState.instances):
            if isinstance(neuron, cls):
                neuron.reset_mem()

    @classmethod
    def init(cls) -> None:
        """Empties the list of neurons that `detach_hidden` and `reset_hidden` go through."""
        HiddenState.instances.clear()

    @staticmethod
    def detach(*states: Tensor) -> None:
        """Cuts states off their graph, in place."""
        for state in states:
            state.detach_()

    @staticmethod
    def zeros(*states: Tensor) -> None:
        """Sets states to zero, in place."""
        for state in states:
            with torch.inference_mode(state.is_inference()):
                state.zero_()


class _Exported:
    """The states of a module while ``torch.export`` runs it, other than by torch.compile.

    An exported program is a function, and torch refuses tensors that it would leave on a module. So
    they are kept beside it, and belong to the one export that made them.
    """

    _of: ClassVar[weakref.WeakKeyDictionary[HiddenState, _Exported]] = weakref.WeakKeyDictionary()
    _not_of: ClassVar[set[HiddenState]] = set()
    """Those that `states_put_back` keeps clean."""

    def __init__(self, export: Any) -> None:
        self.export = weakref.ref(export)
        self.states: tuple[Tensor, ...] = ()

    @classmethod
    def of(cls, module: HiddenState) -> _Exported | None:
        """The states of this module in the present export; None outside of one."""
        if not is_exporting() or torch.compiler.is_dynamo_compiling() or module in cls._not_of:
            return None
        export = torch._guards.TracingContext.try_get()
        found = cls._of.get(module)
        if found is None or found.export() is not export:
            found = cls._of[module] = cls(export)
        return found


@contextmanager
def states_put_back(modules: Collection[HiddenState]) -> Iterator[None]:
    """Modules keep states as usual, under ``torch.export`` too, and get the old ones back."""
    before = [(module, module._hidden_state()) for module in modules]
    _Exported._not_of.update(modules)
    try:
        yield
    finally:
        _Exported._not_of.difference_update(modules)
        for module, states in before:
            for name, state in states.items():
                object.__setattr__(module, name, state)


def savable(state: Tensor) -> Tensor:
    """A state that autograd may save: a copy of what an evaluation in inference mode left."""
    if torch.compiler.is_compiling() or not state.is_inference():
        return state
    return state if torch.is_inference_mode_enabled() else state.clone()


def is_alive(state: Tensor) -> bool:
    """Whether a kept state can be used: one that torch.func wrapped ends with its transform."""
    functorch = torch._C._functorch
    if torch.compiler.is_compiling() or functorch.peek_interpreter_stack() is not None:
        return True
    return not functorch.is_functorch_wrapped_tensor(state)


def broadcasts(shape: torch.Size, target: torch.Size) -> bool:
    """Whether a tensor of this shape broadcasts to the target without making it larger."""
    tail = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(
        size in (1, wanted) for size, wanted in zip(shape, tail, strict=True)
    )
