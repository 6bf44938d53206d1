"""What a call of a layer of neurons is, but for its tensors."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


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
    """How many of the tensors are constants."""
    spikes: type[Tensor] = Tensor
    """What the spikes are to be: `SpikeTensor`, `DenseSpikes`, or plain numbers."""
