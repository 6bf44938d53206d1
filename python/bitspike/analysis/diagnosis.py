"""What `diagnose` reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from .table import number, percent, table


@dataclass(frozen=True)
class LayerDiagnosis:
    """What one layer of neurons did.

    What does not apply is None: rates of a readout that does not fire, gradients of what is frozen.
    """

    name: str
    """The name of its module in the network."""
    kind: str
    """The class of its module."""
    neurons: int
    """How many neurons it has."""
    firing_rate: float | None
    """Spikes per neuron and step."""
    dead: float | None
    """The share of neurons that never fire, for no sample."""
    saturated: float | None
    """The share of neurons that fire at 90 % of all steps or more."""
    first_step: float | None
    """The share of its spikes that come at the first step."""
    gradient_norm: float | None
    """The norm of the gradient of the weights in front of it and, if it is recurrent, within."""
    step_gradients: Tensor | None
    """The norm of the gradient of its input current at each step, ``[T]``."""
    passed: float | None
    """The mean magnitude of the gradient of its current, over that of the gradient of its spikes:
    what its surrogate lets through, summed over the time that the membrane remembers."""
    surrogate: str | None
    """Its surrogate."""


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found: the layers, over which it iterates, and suggestions.

    ``print`` shows both.
    """

    layers: tuple[LayerDiagnosis, ...]
    """The layers in the order in which they ran."""
    suggestions: tuple[str, ...]
    """What to change, and why."""
    steps: int
    """Steps of the sequence."""
    samples: int
    """Samples of the batch."""

    def __iter__(self) -> Iterator[LayerDiagnosis]:
        """The layers."""
        return iter(self.layers)

    def __str__(self) -> str:
        """A table of the layers, and the suggestions."""
        head = ("layer", "kind", "neurons", "rate", "dead", "saturated", "first step")
        rows = [
            (
                row.name,
                row.kind,
                str(row.neurons),
                percent(row.firing_rate),
                percent(row.dead),
                percent(row.saturated),
                percent(row.first_step),
                "–" if row.passed is None else f"{row.passed:.2g}",
                number(row.gradient_norm),
            )
            for row in self
        ]
        text = table((*head, "passed", "gradient"), rows)
        words = "\n".join(f"* {line}" for line in self.suggestions)
        return f"{self.steps} steps, {self.samples} samples\n{text}\n{words}"
