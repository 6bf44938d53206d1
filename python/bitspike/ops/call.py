"""What a call of a layer of neurons is, but for its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

Constant = Tensor | float
"""A number of the equation, or one for each neuron."""


class Kind(NamedTuple):
    """What a kernel computes."""

    neuron: str
    """Its name in the registry."""
    mechanism: str
    """The name of its reset."""
    immediate: bool
    """Whether the reset acts within the step that fires."""
    surrogate: str
    """The name of the surrogate."""
    surrogate_parameters: list[float]
    """Its parameters."""


class Call(NamedTuple):
    """A call of a layer, but for its tensors."""

    kind: Kind
    sequence: bool
    """Whether the first axis of the current is time."""
    states: bool
    """Whether the states of all steps of a sequence are returned."""
    constants: int
    """How many of the tensors, after the current, are constants."""
    packed: bool = False
    """Whether spikes are returned as words instead of numbers."""
    spikes: type[Tensor] = Tensor
    """The class of spikes that are not packed: `DenseSpikes`, or that of all tensors."""
    channels_last: bool = False
    """Whether current and results lie in ``channels_last`` memory."""


class Inputs(NamedTuple):
    """What a layer reads, float32."""

    current: Tensor
    """One step, or a sequence."""
    constants: Sequence[Constant]
    """The parameters of the equation, the threshold and, unless spikes come back, the graded
    factor; they broadcast against one step."""
    initial: list[Tensor]
    """Per state, its value before the first step, shaped like one step."""


class OutputGradients(NamedTuple):
    """Gradients of what a layer returned, float32, of any strides; None is 0."""

    spikes: Tensor | None
    states: list[Tensor | None]
    """Per state, of its sequence."""
    last: list[Tensor | None]
    """Per state, of its last value."""


class Errors(NamedTuple):
    """Errors that are not 0: what spikes send to the current of their own step.

    The gradient of the current is ``grad[t] = error[t] + decay * grad[t + 1]``.
    """

    active: Tensor
    """Whose error is not 0, int64 words ``[T, B, words]`` as of spikes."""
    values: Tensor
    """The errors, float32 ``[B, words, 64 * T]``: those of each word's neurons, last step first."""
    decay: float
    """What is left of a gradient one step before."""


class Need(NamedTuple):
    """Which gradients are wanted."""

    current: bool
    initial: bool
    constants: bool
