"""Calls of the usual kind, which take the shortest way to what runs them."""

from __future__ import annotations

from typing import Any

from .native_sequence import native_sequence
from .single_step import single_step
from .usual import Taken
from .whole_sequence import whole_sequence


def usual_call(neuron: Any, input_: Any, given: tuple[Any, ...], sequence: bool) -> Taken | None:
    """One step or a sequence, or None if anything about the call is unusual."""
    if not sequence:
        return single_step(neuron, input_, given) if neuron._is_usual else None
    taken = None
    if neuron._is_usual and getattr(input_, "is_cpu", False):
        taken = native_sequence(neuron, input_, given)
    if taken is None and neuron._starts_as_usual:
        taken = whole_sequence(neuron, input_, given)
    return taken
