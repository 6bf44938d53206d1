"""Networks of our layers that were read from NIR."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Size, Tensor, nn

from bitspike.arguments import as_tensor, expect_one_device
from bitspike.spikes.pack import pack_if_binary
from bitspike.state import HiddenState

from .order import arrange
from .records import Edge
from .report import Report

State = dict[str, Tensor]
"""The states of neurons and delays by their paths, and what edges that close a circle carry."""


class Network(nn.Module):
    """A network that `from_nir` has read: an ordinary module of layers under the nodes' names.

    Neurons keep their states (``init_hidden=True``). Nodes that feed each other in a circle, other
    than recurrent layers, run step by step, and all others over whole sequences.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> lif = snn.Leaky(beta=0.9, reset_mechanism="zero", init_hidden=True)
        >>> net = nn.Sequential(nn.Linear(3, 2), lif)
        >>> net = snn.nir.from_nir(snn.nir.to_nir(net, torch.rand(1, 3), dt=1e-3), dt=1e-3)
        >>> x = torch.rand(5, 4, 3)
        >>> net(x).shape
        torch.Size([5, 4, 2])
        >>> state = None
        >>> for step in x:
        ...     spikes, state = net.step(step, state)
        >>> list(state)
        ['1.mem']
    """

    nir_report: Report
    """What became of each node."""
    inputs: tuple[str, ...]
    """The names of the nodes that take the inputs."""
    outputs: tuple[str, ...]
    """The names of the nodes that give the outputs."""

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        edges: Sequence[Edge],
        shapes: Mapping[str, Size],
        *,
        inputs: Sequence[str],
        outputs: Sequence[str],
        report: Report,
    ) -> None:
        """Puts layers together.

        Args:
            layers: What computes the nodes, by their names; others hand on what they are given.
            edges: What feeds what.
            shapes: Those of what nodes make in a step, without the batch.
            inputs: The nodes that take the inputs.
            outputs: The nodes that give the outputs.
            report: What became of each node.
        """
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.nir_report = report
        order = arrange(shapes, edges, inputs)
        self._groups, self._backward, self._shapes = order.groups, order.backward, dict(shapes)
        self._sources: dict[str, list[str]] = {name: [] for name in shapes}
        for a, b in edges:
            self._sources[b].append(a)
        ordered = [name for group in order.groups for name in group if name in layers]
        self._paths = {name: _place(self, name, layers[name]) for name in ordered}
        self._looped = {
            name
            for group in order.groups
            for name in group
            if len(group) > 1 or (name, name) in order.backward
        }

    def forward(self, x: Tensor | tuple[Tensor, ...]) -> Any:
        """A whole sequence from rest.

        Args:
            x: ``[T, B, *]``, packed or not; a tuple if there are several inputs.

        Returns:
            ``[T, B, *]``, spikes packed; a tuple if there are several outputs.

        Raises:
            ValueError: for input of another shape.
        """
        values = self._given(x, ("T", "B"))
        self._reset()
        for group in self._groups:
            if group[0] in self._looped:
                values |= self._circle(group, values)
            elif group[0] not in values:
                values[group[0]] = self._whole(group[0], values)
        return self._results(values)

    def step(self, x: Tensor | tuple[Tensor, ...], state: State | None = None) -> tuple[Any, State]:
        """One step.

        Args:
            x: ``[B, *]``; a tuple if there are several inputs.
            state: What the step before has returned; None for rest.

        Returns:
            What the outputs are, ``[B, *]``, and the state after the step.

        Raises:
            ValueError: for input of another shape.
        """
        values = self._given(x, ("B",))
        if state is None:
            self._reset()
        else:
            self._restore(state)
        carried = dict(state or {})
        silent = self._silence(next(iter(values.values())))
        for a, _ in self._backward:
            if f"prev:{a}" not in carried:
                carried[f"prev:{a}"] = silent(a)
        for group in self._groups:
            for name in group:
                if name not in values:
                    values[name] = self._once(name, values, carried)
        after = {f"prev:{a}": values[a] for a, _ in self._backward}
        return self._results(values), self._states() | after

    def _given(self, x: Any, axes: tuple[str, ...]) -> dict[str, Tensor]:
        """The inputs by their names."""
        given = x if isinstance(x, tuple) else (x,)
        if len(given) != len(self.inputs):
            raise ValueError(f"x must be {len(self.inputs)} tensors, {self.inputs}")
        values = {}
        for name, value in zip(self.inputs, given, strict=True):
            value, shape = as_tensor(value, "x"), self._shapes[name]
            if value.dim() != len(axes) + len(shape) or value.shape[len(axes) :] != shape:
                wanted = ", ".join([*axes, *map(str, shape)])
                raise ValueError(f"x must be [{wanted}] for {name}, not {list(value.shape)}")
            expect_one_device(value, "x", itertools.islice(self.named_parameters(), 1))
            values[name] = value
        return values

    def _results(self, values: dict[str, Tensor]) -> Any:
        found = tuple(values[name] for name in self.outputs)
        return found[0] if len(found) == 1 else found

    def _hidden(self) -> Iterable[tuple[str, HiddenState]]:
        """What has hidden states, by the names of the nodes."""
        for name in self._paths:
            layer = self._layer(name)
            if isinstance(layer, HiddenState):
                yield name, layer

    def _layer(self, name: str) -> nn.Module | None:
        """What computes a node; None for one that hands on what it is given."""
        return self.get_submodule(self._paths[name]) if name in self._paths else None

    def _reset(self) -> None:
        for _, layer in self._hidden():
            layer.reset_mem()

    def _states(self) -> State:
        return {
            f"{name}.{key}": value
            for name, layer in self._hidden()
            for key, value in zip(layer.STATES, layer._kept(), strict=True)
        }

    def _restore(self, state: State) -> None:
        """Puts states back, unless the neurons hold them."""
        wanted = {f"{name}.{key}" for name, layer in self._hidden() for key in layer.STATES}
        wanted |= {f"prev:{a}" for a, _ in self._backward}
        if set(state) != wanted:
            raise ValueError(f"state must have {sorted(wanted)}, not {sorted(state)}")
        for name, layer in self._hidden():
            states = tuple(state[f"{name}.{key}"] for key in layer.STATES)
            if any(a is not b for a, b in zip(states, layer._kept(), strict=True)):
                layer._keep(None, states, detached=False)

    def _whole(self, name: str, values: dict[str, Tensor]) -> Tensor:
        """What a node makes of a whole sequence."""
        x = _sum([values[source] for source in self._sources[name]])
        layer: Any = self._layer(name)
        if layer is None:
            return x
        found: Tensor
        if hasattr(layer, "run_sequence"):
            found = layer.run_sequence(x)
            return found
        if type(layer) is nn.Linear:  # takes time as it is
            found = layer(x)
            return found
        steps, samples = x.shape[:2]
        return torch.unflatten(layer(x.flatten(0, 1)), 0, (steps, samples))

    def _once(self, name: str, values: dict[str, Tensor], carried: State) -> Tensor:
        """What a node makes of a step."""
        x = _sum(
            [
                carried[f"prev:{source}"] if (source, name) in self._backward else values[source]
                for source in self._sources[name]
            ]
        )
        layer = self._layer(name)
        found: Tensor = x if layer is None else layer(x)
        return found

    def _circle(self, group: list[str], values: dict[str, Tensor]) -> dict[str, Tensor]:
        """What nodes that feed each other make of a whole sequence, step by step."""
        outside = {s for name in group for s in self._sources[name]} - set(group)
        sequences = {source: values[source] for source in outside}
        like = next(iter(values.values()))
        silent = self._silence(like[0])
        carried = {f"prev:{a}": silent(a) for a, b in self._backward if b in group}
        made: dict[str, list[Tensor]] = {name: [] for name in group}
        for t in range(len(like)):
            now = {source: x[t] for source, x in sequences.items()}
            for name in group:
                now[name] = self._once(name, now, carried)
                made[name].append(now[name])
            carried = {key: now[key.removeprefix("prev:")] for key in carried}
        if not len(like):
            return {name: like.new_zeros(*like.shape[:2], *self._shapes[name]) for name in group}
        return {name: pack_if_binary(torch.stack(steps)) for name, steps in made.items()}

    def _silence(self, like: Tensor) -> Any:
        """What nodes make of silence, which is what edges carry before the first step."""

        def silent(name: str) -> Tensor:
            layer = self._layer(name)
            samples = len(like)
            if name in self.inputs or isinstance(layer, HiddenState):
                return torch.zeros(samples, *self._shapes[name], device=like.device)
            x = _sum([silent(source) for source in self._sources[name]])
            found: Tensor = x if layer is None else layer(x)
            return found

        return silent


def _sum(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def _place(net: nn.Module, name: str, layer: nn.Module) -> str:
    """Puts a layer where its name says, and returns the path: another one if that is taken."""
    owner, path, (*outer, last) = net, "", [part or "_" for part in name.split(".")]
    for part in outer:
        held = owner._modules.get(part)
        if held is not None and type(held) is not nn.Module:
            part += "_"
        while hasattr(owner, part) and part not in owner._modules:
            part += "_"
        if part not in owner._modules:
            owner.add_module(part, nn.Module())
        owner, path = owner.get_submodule(part), f"{path}{part}."
    while hasattr(owner, last):
        last += "_"
    owner.add_module(last, layer)
    return path + last
