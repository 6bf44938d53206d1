"""Converted networks as modules."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, expect_one_device
from bitspike.neurons import LI
from bitspike.run.sequence import run_whole
from bitspike.state import HiddenState
from bitspike.utils import reset

from .neuron import RateIF
from .parts import Concatenation, Model, Part, Sum

_CHUNK = 16
"""Steps that run at once: memory does not grow with more of them."""


class Block(nn.Module):
    """Layers between which more than one value is passed on, such as those around a residual.

    It takes single steps ``[B, *]``, and whole sequences in `run_sequence`.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> class Residual(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.first, self.second = nn.Linear(3, 8), nn.Linear(8, 8)
        ...     def forward(self, x):
        ...         x = self.first(x).relu()
        ...         return (x + self.second(x)).relu()
        >>> net, _ = snn.convert.ann_to_snn(Residual(), [torch.rand(5, 3)])
        >>> [type(layer).__name__ for layer in net.net]
        ['Linear', 'RateIF', 'Block', 'RateIF', 'Affine', 'LI']
    """

    is_program = True
    """A graph has its calls, and not its own."""

    def __init__(self, parts: Sequence[Part], given: Part) -> None:
        """Takes calls in their order, of which the last makes the result."""
        super().__init__()
        reads = Counter(source for part in parts for source in part.sources)
        chains: dict[str, nn.Sequential] = {}
        self._chains: list[tuple[str, list[str]]] = []
        names, last = {given: ""}, dict[Part, str]()
        for part in parts:
            (source, *others), own = part.sources, plain(part.name)
            if not others and reads[source] == 1 and source in last:
                chain = last.pop(source)
                chains[chain].append(_module(part))
            else:
                chain = own
                chains[chain] = nn.Sequential(_module(part))
                self.add_module(chain, chains[chain])
                self._chains.append((chain, [names[x] for x in part.sources]))
            names[part] = chain
            last[part] = chain

    def forward(self, x: Tensor) -> Tensor:
        """One step."""
        return self._run(x, whole=False)

    def run_sequence(self, x: Tensor) -> Tensor:
        """A sequence ``[T, B, *]``."""
        return self._run(x, whole=True)

    def _run(self, x: Tensor, whole: bool) -> Tensor:
        x = _ready(x, self)
        if x.dim() < 2 + whole:
            axes = "[T, B, *]" if whole else "[B, *]"
            raise ValueError(f"x must be {axes}, not {list(x.shape)}")
        values: dict[str, Tensor] = {"": x}
        for name, sources in self._chains:
            chain: Any = self.get_submodule(name)
            given = [values[source] for source in sources]
            if isinstance(chain[0], Sum | Concatenation):
                given, chain = [chain[0](*given)], chain[1:]
            values[name] = run_whole(chain, given[0], stacks=False)[0] if whole else chain(given[0])
        return values[name]


class RateNetwork(nn.Module):
    """A converted network: spikes whose rates are the activations of the model.

    Attributes:
        net: The layers, an ``nn.Sequential`` that takes an input ``[B, *]`` at each step, or a
            whole sequence through `unroll`. Its neurons keep their states, and so does the last
            module, which sums up what the model returns: divided by the number of steps, its
            membrane is the result. It is a network like any other, for `save_network`, `energy` or
            training.
        num_steps: How many steps `forward` runs.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> ann = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> x = torch.rand(5, 3)
        >>> net, report = snn.convert.ann_to_snn(ann, [x], num_steps=64)
        >>> net(x).shape, net.over_time(x).shape
        (torch.Size([5, 2]), torch.Size([64, 5, 2]))
    """

    def __init__(self, model: Model, num_steps: int) -> None:
        """Makes modules of calls over time."""
        super().__init__()
        self.num_steps = num_steps
        self.net = _sequential(model)
        self._head = 1 + max(i for i, x in enumerate(self.net) if any(map(_is_neuron, x.modules())))
        """How many of the layers run at every step; all others are linear."""
        self.net.add_module("readout", LI(1.0, init_hidden=True))
        names = {part.module: part.name for part in model}
        self._paths = {name: names[x] for name, x in self.net.named_modules() if x in names}

    def forward(self, x: Tensor, num_steps: int | None = None) -> Tensor:
        """What the model returns, as the mean over time.

        What is linear behind the last neurons runs once, on their rates.

        Args:
            x: ``[B, *]``, the input at all steps.
            num_steps: How many; by default ``self.num_steps``.

        Raises:
            ValueError: if ``x`` has no batch, or there is no step.
        """
        total: Any = 0
        steps = 0
        for spikes in self._chunks(self.net[: self._head], x, num_steps):
            total = total + spikes.sum(0)
            steps += len(spikes)
        result: Tensor = self.net[self._head : -1](total / steps)
        return result

    def over_time(self, x: Tensor, num_steps: int | None = None) -> Tensor:
        """The same after each step, ``[T, B, *]``: what `forward` returns for 1, 2, … steps."""
        sums = torch.cat(list(self._chunks(self.net, x, num_steps)))
        steps = torch.arange(1, len(sums) + 1, device=sums.device, dtype=sums.dtype)
        return sums / steps.view(-1, *[1] * (sums.dim() - 1))

    def neurons(self) -> dict[str, RateIF]:
        """The layers of neurons, by the paths of the rectifiers that they stand for."""
        found = {self._paths.get(name, name): x for name, x in self.net.named_modules()}
        return {name: x for name, x in found.items() if isinstance(x, RateIF)}

    def _chunks(self, layers: Any, x: Tensor, num_steps: int | None) -> Iterator[Any]:
        """What layers make of a constant input, some steps at a time, from rest."""
        x = _ready(x, self)
        steps = self.num_steps if num_steps is None else num_steps
        if x.dim() < 2:
            raise ValueError(f"x must be samples [B, *], not {list(x.shape)}")
        if steps < 1:
            raise ValueError(f"num_steps must be at least 1, not {steps}")
        reset(self.net)
        for start in range(0, steps, _CHUNK):
            yield run_whole(layers, x.expand(min(_CHUNK, steps - start), *x.shape), stacks=False)[0]


def plain(name: str) -> str:
    """A path as the name of a module."""
    return name.replace(".", "_")


def _ready(x: Tensor, net: nn.Module) -> Tensor:
    """An argument as numbers for the layers of a network."""
    x = as_tensor(x, "x")
    expect_one_device(x, "x", itertools.islice(net.named_parameters(), 1))
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _is_neuron(module: nn.Module) -> bool:
    return isinstance(module, HiddenState) and not isinstance(module, LI)


def _sequential(model: Model) -> nn.Sequential:
    """Calls as modules one after another, where one value alone is passed on."""
    net, taken = nn.Sequential(), Counter[str]()
    for parts, given in _segments(model):
        alone = len(parts) == 1 and len(parts[0].sources) == 1
        module = _module(parts[0]) if alone else Block(parts, given)
        name = plain(parts[0].name if alone else _common(parts))
        taken[name] += 1
        net.add_module(f"{name}_{taken[name] - 1}" if taken[name] > 1 else name, module)
    return net


def _segments(model: Model) -> Iterator[tuple[list[Part], Part]]:
    """Calls between two moments at which one value alone is needed, and that value."""
    remaining = model.uses()
    (given,) = (part for part in model.parts if part.module is None)
    alive, segment = {given}, []
    for part in model:
        segment.append(part)
        alive.add(part)
        for source in part.sources:
            remaining[source] -= 1
        alive = {x for x in alive if remaining[x]}
        if alive == {part}:
            yield segment, given
            segment, given = [], part


def _common(parts: Sequence[Part]) -> str:
    """The path that the calls of a block share."""
    paths = [part.name.split(".") for part in parts if "." in part.name]
    shared = []
    for step in zip(*paths, strict=False):
        if len(set(step)) > 1:
            break
        shared.append(step[0])
    return ".".join(shared) if shared and len(shared) < min(map(len, paths)) else "block"


def _module(part: Part) -> nn.Module:
    assert part.module is not None
    return part.module
