"""A surrogate whose width follows a schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor

from ._surrogate import Surrogate


class Scheduled(Surrogate):
    """A surrogate whose numbers change from epoch to epoch, as when its slope is annealed.

    At any moment it is the plain surrogate `current`, and runs natively if that does. Several
    neurons may share one. As with PyTorch's schedulers of learning rates, the training loop calls
    `step` after each epoch, and `state_dict` holds how far it has come.

    Args:
        kind: The surrogate to start from.
        **schedules: For each number that changes, a function of the number of steps made so far;
            `surrogate.schedule` has the usual ones.

    Raises:
        TypeError: if ``kind`` is not a surrogate with numbers, or lacks one that ``schedules``
            names.

    Example:
        >>> rising = snn.surrogate.schedule.Linear(1.0, 25.0, steps=12)
        >>> annealed = snn.surrogate.Scheduled(snn.surrogate.fast_sigmoid(), slope=rising)
        >>> neuron = snn.Leaky(beta=0.9, spike_grad=annealed)
        >>> annealed.current
        FastSigmoid(slope=1.0)
        >>> annealed.step()
        >>> annealed.current
        FastSigmoid(slope=3.0)
    """

    current: Surrogate
    """The surrogate in force."""
    steps: int
    """How many times `step` was called."""

    def __init__(self, kind: Surrogate, **schedules: Callable[[int], float]) -> None:
        if not isinstance(kind, Surrogate) or not is_dataclass(kind) or isinstance(kind, Scheduled):
            raise TypeError(f"kind must be a surrogate with numbers, not {kind!r}")
        known = [field.name for field in fields(kind)]
        for name in schedules:
            if name not in known:
                raise TypeError(f"{kind!r} has no {name} to schedule, but {', '.join(known)}")
        self._schedules = schedules
        self._set(kind, 0)

    def _set(self, kind: Surrogate, steps: int) -> None:
        values: dict[str, Any] = {name: at(steps) for name, at in self._schedules.items()}
        # Both at once: a schedule that raises leaves both as they are.
        self.current, self.steps = replace(kind, **values), steps

    def step(self) -> None:
        """Moves on to the next values."""
        self._set(self.current, self.steps + 1)

    def state_dict(self) -> dict[str, int]:
        """What `load_state_dict` needs to go on from here: the number of steps."""
        return {"steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Goes on from where `state_dict` was taken, with the schedules that are there."""
        self._set(self.current, state_dict["steps"])

    def __call__(self, x: Tensor) -> Tensor:
        """Spikes with the gradient of the surrogate in force now, whenever backward runs."""
        return self.current(x)

    def derivative(self, x: Tensor) -> Tensor:
        return self.current.derivative(x)

    @property
    def NAME(self) -> str:  # type: ignore[override]
        return self.current.NAME

    @property
    def parameters(self) -> list[float]:  # type: ignore[override]
        return self.current.parameters

    def is_native(self) -> bool:
        return self.current.is_native()

    def __repr__(self) -> str:
        return f"Scheduled({self.current}, steps={self.steps})"

    # Compared by identity: two with equal numbers may move on at different times.
    __eq__ = object.__eq__
    __hash__ = object.__hash__
