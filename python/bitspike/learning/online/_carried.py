"""The influence of parameters on the states of a layer, carried from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from operator import add
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _synapses as synapses
from ._derivatives import constants
from ._layer import Layer, Mechanism, Moment, Trace, is_bias, is_matrix
from ._sums import weighted_sums

Factors = Sequence[Any]
"""A number or a tensor for each step."""
Rows = list[list[Factors | None]]


class Carried(Mechanism):
    r"""``ε[t] = D[t]·ε[t-1] + ∂s[t]/∂W``, and the gradient of the states times it.

    ``D`` is the derivative of a neuron's states by those before. The gradient of a block's loss is
    that inside the block, which autograd computes, plus ``Σ λ·ε`` of the states ``s`` before its
    first step, whose gradient is ``λ``. For a block of one step this is the rule as published.
    """

    def enter(self, before: list[Tensor]) -> list[Tensor]:
        if not self.trace:
            return before
        return self.layer.pass_beside(partial(self.gradients, self.trace), before)

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        with torch.no_grad():
            self.trace = self.advanced(moment)
        return spikes

    def advanced(self, moment: Moment) -> Trace:
        """The influence after these steps."""
        raise NotImplementedError

    def gradients(self, trace: Trace, adjoint: list[Tensor | None]) -> dict[str, Tensor]:
        """Gradients of parameters from those of the states."""
        found: dict[str, Tensor] = {}
        for name, influences in trace.items():
            parts = [
                self.gradient(name, influence, grad)
                for influence, i in zip(influences, self.layer.carried, strict=True)
                if (grad := adjoint[i]) is not None
            ]
            if parts:
                found[name] = reduce(add, parts)
        return found

    def spread(self, name: str, influence: Tensor, factor: Tensor) -> Tensor:
        """A factor of each neuron times the influence on it, for each synapse or neuron."""
        return factor * influence

    def gradient(self, name: str, influence: Tensor, grad: Tensor) -> Tensor:
        """``Σ grad·influence`` for one state, in the shape of the parameter."""
        if is_bias(name):
            synapse = self.layer.synapse if name == "bias" else self.layer.connection
            return synapses.bias_gradient(synapse, grad * influence)
        shape = self.layer.parameters()[name].shape
        return (grad * influence).sum_to_size(shape)


class Matrices(Carried):
    """An influence for each synapse and sample: right for every neuron."""

    needs_states = True

    def advanced(self, moment: Moment) -> Trace:
        states = self.layer.carried
        found = moment.derivatives
        by_state = [[_factors(found.by_state[1 + i][k]) for k in states] for i in states]
        rows = [moment.sources(1 + i) for i in states]
        names = list(self.layer.parameters())
        sources = {name: [_factors(row[name]) for row in rows] for name in names}
        total, added = transported(by_state, sources, moment.steps)
        return {name: self._advanced(name, total, added[name], moment) for name in names}

    def _advanced(
        self, name: str, total: list[list[Any]], added: list[list[Any]], moment: Moment
    ) -> list[Tensor]:
        old = self.trace.get(name)
        new = []
        for row, weights in zip(total, added, strict=True):
            known = [_zero_if_none(x, moment.current[0]) for x in weights]
            if is_matrix(name):
                synapse, x = moment.input_of(name)
                influence = synapses.outer(synapse, x, torch.stack(known))
                if old is not None:
                    factors = [_per_output(synapse, x, moment.current[0]) for x in row]
                    influence = influence + _combined(factors, old, 0.0)
            else:
                influence = reduce(add, known)
                if old is not None:
                    influence = influence + _combined(row, old, 0.0)
            new.append(influence)
        return new

    def spread(self, name: str, influence: Tensor, factor: Tensor) -> Tensor:
        if not is_matrix(name):
            return super().spread(name, influence, factor)
        synapse = self.layer.synapse if name == "weight" else self.layer.connection
        return influence * synapses.outputs(synapse, factor).unsqueeze(-1)

    def gradient(self, name: str, influence: Tensor, grad: Tensor) -> Tensor:
        if not is_matrix(name):
            return super().gradient(name, influence, grad)
        synapse = self.layer.synapse if name == "weight" else self.layer.connection
        return synapses.contracted(synapse, influence, grad)


class Fixed(NamedTuple):
    """What some steps do to an influence, whatever happens in them."""

    by_state: Rows
    total: list[list[Any]]
    """The product of all ``D``."""
    left: dict[str, Tensor]
    """What is left of each step's input after the last one, ``[S, K]``, by the drive."""


class Vectors(Carried):
    """The same where ``D`` is the same number for all neurons at all times.

    Then the influence of ``W_ij`` on neuron ``i`` is the same for all ``i``: the input, filtered.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self._versions: tuple[Any, ...] = ()
        self._of_steps: dict[int, Fixed] = {}

    @property
    def needs_states(self) -> bool:  # type: ignore[override]
        """Numbers of the equation have an influence that depends on the states."""
        return any(name in _elementwise(self.layer) for name in self.layer.parameters())

    def advanced(self, moment: Moment) -> Trace:
        layer = self.layer
        fixed = self._fixed(moment)
        new: Trace = {}
        for name in layer.parameters():
            drive = name.rpartition(".")[0]
            if is_matrix(name):
                _, x = moment.input_of(name)
                sums = list(weighted_sums(x, fixed.left[drive]))
                new[name] = self._with_old(name, fixed.total, sums)
            elif is_bias(name):
                ones = list(fixed.left[drive].sum(1))
                new[name] = self._with_old(name, fixed.total, ones)
        elementwise = [name for name in layer.parameters() if name in _elementwise(layer)]
        if elementwise:
            rows = [moment.sources(1 + i) for i in layer.carried]
            sources = {name: [_factors(row[name]) for row in rows] for name in elementwise}
            left = transported(fixed.by_state, sources, moment.steps)[1]
            for name, weights in left.items():
                sums = [
                    reduce(add, [_zero_if_none(x, moment.current[0]) for x in w]) for w in weights
                ]
                new[name] = self._with_old(name, fixed.total, sums)
        return new

    def _with_old(self, name: str, total: list[list[Any]], sums: list[Tensor]) -> list[Tensor]:
        if name not in self.trace:
            return sums
        return [
            x + _combined(row, self.trace[name], 0.0) for x, row in zip(sums, total, strict=True)
        ]

    def spread(self, name: str, influence: Tensor, factor: Tensor) -> Tensor:
        if not is_matrix(name):
            return super().spread(name, influence, factor)
        synapse = self.layer.synapse if name == "weight" else self.layer.connection
        return synapses.outer(synapse, influence.unsqueeze(0), factor.unsqueeze(0))

    def gradient(self, name: str, influence: Tensor, grad: Tensor) -> Tensor:
        if not is_matrix(name):
            return super().gradient(name, influence, grad)
        synapse = self.layer.synapse if name == "weight" else self.layer.connection
        return synapses.weight_gradient(synapse, influence, grad)

    def _fixed(self, moment: Moment) -> Fixed:
        """What so many steps do, which changes with the parameters alone."""
        neuron, like = self.layer.neuron, moment.current
        tensors = (*neuron.parameters(recurse=False), *neuron.buffers(recurse=False))
        versions = (like.dtype, neuron.reset_mechanism, *((id(x), x._version) for x in tensors))
        if versions != self._versions:
            self._versions, self._of_steps = versions, {}
        if moment.steps not in self._of_steps:
            self._of_steps = {moment.steps: self._of(moment.steps, like)}
        return self._of_steps[moment.steps]

    def _of(self, steps: int, like: Tensor) -> Fixed:
        found = constants(self.layer.neuron, self.layer.carried, like.dtype)
        by_state: Rows = [[[x] * steps if x else None for x in row] for row in found.by_state]
        drives: dict[str, list[Factors | None]] = {
            drive: [[row[i]] * steps for row in found.by_drive]
            for i, drive in enumerate(("", "recurrent"))
            if i < len(found.by_drive[0])
        }
        total, left = transported(by_state, drives, steps)
        tables = {
            drive: like.new_tensor([[x or 0.0 for x in row] for row in rows])
            for drive, rows in left.items()
        }
        return Fixed(by_state, total, tables)


def transported(
    by_state: Rows, sources: dict[str, list[Factors | None]], steps: int
) -> tuple[list[list[Any]], dict[str, list[list[Any]]]]:
    """What some steps do to an influence.

    Args:
        by_state: ``D[state][state before]``, of each step.
        sources: What each step adds, ``[state]``, by name.
        steps: How many.

    Returns:
        The product of all ``D``, and what is left of each step's source after the last one.
    """
    states = range(len(by_state))
    total: list[list[Any]] = [[1.0 if i == k else None for k in states] for i in states]
    left: dict[str, list[list[Any]]] = {name: [[] for _ in states] for name in sources}
    for t in reversed(range(steps)):
        for name, source in sources.items():
            column = [None if x is None else x[t] for x in source]
            for i in states:
                left[name][i].append(_combined(total[i], column))
        step = [[None if x is None else x[t] for x in row] for row in by_state]
        total = [[_combined(total[i], [row[k] for row in step]) for k in states] for i in states]
    return total, {name: [row[::-1] for row in rows] for name, rows in left.items()}


def _combined(row: Sequence[Any], column: Sequence[Any], nothing: Any = None) -> Any:
    """``Σ row·column``, where None is 0."""
    products = [a * b for a, b in zip(row, column, strict=True) if not (a is None or b is None)]
    return reduce(add, products) if products else nothing


def _factors(x: Tensor | None) -> Factors | None:
    return None if x is None else x.unbind(0)


def _zero_if_none(x: Any, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if x is None else x * torch.ones_like(like)


def _per_output(synapse: Any, x: Any, like: Tensor) -> Any:
    """A factor of each neuron, in front of the inputs of its synapses."""
    if x is None or not isinstance(x, Tensor):
        return x
    return synapses.outputs(synapse, x.expand_as(like)).unsqueeze(-1)


def _elementwise(layer: Layer) -> set[str]:
    names = layer.parameters()
    return {name for name in names if not (is_matrix(name) or is_bias(name))}
