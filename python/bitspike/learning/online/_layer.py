"""A layer of neurons with what drives it, and what happens to it in a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.neurons.base.recurrent import OneToOne, Recurrent

from ._derivatives import Derivatives, derivatives, learned_numbers
from ._functions import beside

Trace = dict[str, list[Tensor]]
"""What a mechanism keeps, by the name of a parameter: one tensor for each state."""


class Layer:
    """Neurons, and the synapse in front of them.

    Args:
        name: Of the neurons in the network.
        neuron: The module.
        recurrence: Of the rule.
    """

    def __init__(self, name: str, neuron: Any, recurrence: str) -> None:
        self.name = name
        self.neuron = neuron
        self.recurrence = recurrence
        self.synapse: Any = None
        self.is_paired = False
        self.is_hidden = False
        self.mechanisms: list[Mechanism] = []
        self.loaded: list[Trace] = []
        self._parameters: dict[str, nn.Parameter] = {}

    def trace_bytes(self) -> int:
        """What all traces of the layer take."""
        traces = [trace for mechanism in self.mechanisms for trace in mechanism.trace.values()]
        return sum(x.nbytes for trace in traces for x in trace)

    def restore(self) -> None:
        """Takes over the traces of a state dict, which may come before the first call."""
        for mechanism, trace in zip(self.mechanisms, self.loaded, strict=False):
            mechanism.trace = {name: [x.clone() for x in kept] for name, kept in trace.items()}

    @property
    def connection(self) -> Any:
        """What sends the layer's spikes back to it, or None."""
        return self.neuron.recurrent if isinstance(self.neuron, Recurrent) else None

    @property
    def carried(self) -> list[int]:
        """The states on which influence is carried; spikes are not, if they come back as given."""
        first = 1 if self.connection is not None and self.recurrence == "leak" else 0
        return list(range(first, len(self.neuron.STATES)))

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is learned of the layer, by a name that says where it stands."""
        return self._parameters

    def look_for_parameters(self) -> None:
        """Notes what is learned at present."""
        found: dict[str, nn.Parameter] = {}
        if self.synapse is not None:
            found |= dict(self.synapse.named_parameters(recurse=False))
        if isinstance(self.connection, OneToOne):
            found["V"] = self.connection.V  # type: ignore[assignment]
        elif self.connection is not None:
            found |= {f"recurrent.{name}": x for name, x in self.connection.named_parameters()}
        found |= learned_numbers(self.neuron)
        self._parameters = {name: x for name, x in found.items() if x.requires_grad}

    def autapse(self) -> Tensor | None:
        """What a neuron's spike sends to itself, if the rule follows that."""
        connection = self.connection
        if connection is None or self.recurrence == "leak":
            return None
        if isinstance(connection, OneToOne):
            return connection.V.detach()
        if self.recurrence == "full":
            return None  # it is part of what all send to each other
        weight: Tensor = connection.weight.detach()
        if isinstance(connection, nn.Linear):
            return weight.diagonal()
        height, width = weight.shape[2:]
        return weight[:, :, height // 2, width // 2].diagonal()[:, None, None]

    def has_dense_connection(self) -> bool:
        """Whether a neuron's spikes reach others of the layer."""
        return self.connection is not None and not isinstance(self.connection, OneToOne)

    def connected(self, feedback: Tensor) -> Tensor:
        """What comes back to the layer, as its mechanisms pass it on."""
        for mechanism in self.mechanisms:
            feedback = mechanism.connected(feedback)
        return feedback

    def pass_beside(
        self, gradients: Any, tensors: Sequence[Tensor], names: Sequence[str] | None = None
    ) -> list[Tensor]:
        """These tensors, whose gradients go on and cause gradients of the layer's parameters.

        Args:
            gradients: From those of the tensors to those of parameters, by name.
            tensors: What is passed.
            names: Which parameters there are gradients of; by default all.
        """
        parameters = self.parameters()
        if names is not None:
            parameters = {name: x for name, x in parameters.items() if name in names}
        return beside(gradients, tensors, parameters)


class Moment:
    """A call of a layer: some steps, one after another.

    Args:
        layer: Which one.
        x: The input of its synapse, ``[K, B, *]``, or None without one.
        current: That of the neurons, ``[K, B, *]``.
        before: Their states before each step, each ``[K, B, *]``.
    """

    def __init__(
        self, layer: Layer, x: Tensor | None, current: Tensor, before: list[Tensor]
    ) -> None:
        self.layer = layer
        self.x = x
        self.current = current
        self.before = before

    @property
    def steps(self) -> int:
        """How many."""
        return len(self.current)

    @cached_property
    def feedback(self) -> Tensor | None:
        """What the layer's spikes have sent back to it, or None if nothing does."""
        with torch.no_grad():
            return self.feedback_with_graph()

    def feedback_with_graph(self) -> Tensor | None:
        """The same, with the graph that leads to what connects the layer to itself."""
        if self.layer.connection is None:
            return None
        spikes = self.before[0]
        flat: Tensor = self.layer.neuron._feedback(spikes.flatten(0, 1))
        return torch.unflatten(flat, 0, spikes.shape[:2])

    @cached_property
    def derivatives(self) -> Derivatives:
        """Of each step, elementwise; by spikes before through what neurons send to themselves."""
        layer, feedback = self.layer, self.feedback
        numbers = tuple(learned_numbers(layer.neuron))
        found = derivatives(layer.neuron, self.current, self.before, feedback, numbers)
        autapse = layer.autapse()
        if autapse is not None:
            for row, drives in zip(found.by_state, found.by_drive, strict=True):
                row[0] = None if drives[1] is None else drives[1] * autapse
        return found

    def sources(self, row: int) -> dict[str, Tensor | None]:
        """What one step adds to the influence on a result: elementwise, for each parameter.

        For a weight it is what multiplies the input.
        """
        found = self.derivatives
        by_drive = found.by_drive[row]
        sources: dict[str, Tensor | None] = dict(found.by_number[row])
        for name in self.layer.parameters():
            if name in ("weight", "bias"):
                sources[name] = by_drive[0]
            elif name.startswith("recurrent."):
                sources[name] = by_drive[1]
            elif name == "V":
                sources[name] = None if by_drive[1] is None else by_drive[1] * self.before[0]
        return sources

    def input_of(self, name: str) -> tuple[Any, Tensor]:
        """The synapse of a weight, and its input."""
        if name == "weight":
            assert self.x is not None
            return self.layer.synapse, self.x
        return self.layer.connection, self.before[0]

    def step(self, t: int) -> Moment:
        """One of the steps."""
        pick = slice(t, t + 1)
        x = None if self.x is None else self.x[pick]
        return Moment(self.layer, x, self.current[pick], [state[pick] for state in self.before])


class Mechanism:
    """A part of a rule at work on one layer; by itself it does nothing."""

    needs_states: bool = False
    """Whether it looks at the states before each step of a block."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.trace: Trace = {}

    def traced(self, current: Tensor, is_block: bool) -> Tensor:
        """A current of the synapse, of a step or of a block, by which the synapse learns."""
        return current

    def enter(self, before: list[Tensor]) -> list[Tensor]:
        """The states that the neurons start from."""
        return before

    def connected(self, feedback: Tensor) -> Tensor:
        """What the connection of a recurrent layer sends back to it."""
        return feedback

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        """What the layer returns instead of its spikes; the trace goes on."""
        return spikes


def is_matrix(name: str) -> bool:
    """Whether a parameter of a layer multiplies an input."""
    return name in ("weight", "recurrent.weight")


def is_bias(name: str) -> bool:
    """Whether it is added to what does."""
    return name in ("bias", "recurrent.bias")
