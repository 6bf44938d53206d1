"""Steps of a tensor that a loop takes out of it, or puts into it, one after another."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bitspike.graph import Earlier, Fixed, Place, Value, Varying
from bitspike.graph.functions import with_entry

from .arguments import Arguments, Instruction
from .environment import Environment
from .steps import Steps


def taken(arguments: Arguments, position: int) -> Instruction | None:
    """``x[t]``, ``x[:, t]``, ``x.select(1, t)`` and the like, of a tensor from outside."""
    node, loop = arguments.node(position), arguments.loop
    args, kwargs = loop.arguments(position)
    if kwargs or node.name not in ("getitem", "select"):
        return None
    base, *indices = args
    if not isinstance(base, Fixed) or not isinstance(base.value, Value):
        return None
    rank = len(base.value.shape)
    found = _axis_of(indices[0], rank) if node.name == "getitem" else _selected(indices, rank)
    if found is None:
        return None
    axis, steps = found
    read, key = arguments.scope.structure(base.value), (loop, Place(position, 0))

    def run(environment: Environment) -> None:
        x = read(environment)
        x = x.movedim(axis, 0) if axis else x
        environment[key] = Steps(loop.steps, _entries(x, steps))

    return run


def assigned(arguments: Arguments, position: int, uses: Counter[Any]) -> Instruction | None:
    """``x[t] = y`` of a tensor that nothing reads before the loop has ended."""
    calls, loop = arguments.loop.body[position], arguments.loop
    args, kwargs = loop.arguments(position)
    if calls[0].target is not with_entry or kwargs:
        return None
    base, index, value = args
    place, shape = Place(position, 0), list(calls[0].outputs[0].shape)
    is_own = isinstance(base, Earlier) and (base.place, base.lag) == (place, 1)
    if not is_own or any(uses[call.outputs[0]] > 1 for call in calls[:-1]):
        return None
    found = _axis_of(index, len(shape))
    values = arguments.sequence(value) if isinstance(value, Earlier | Varying) else None
    if found is None or values is None:
        return None
    axis, steps = found
    del shape[axis]
    if arguments.shape(value) != torch.Size(shape):
        return None
    sequence, first = values, arguments.scope.structure(base.first[0])
    before = (slice(None),) * axis

    def run(environment: Environment) -> None:
        x = first(environment).clone()
        entries = sequence(environment).whole().movedim(0, axis)
        x[(*before, torch.tensor(steps))] = entries.to(x.dtype)
        environment[loop, place] = Steps(loop.steps, last=x)

    return run


def _entries(x: Tensor, steps: Sequence[int]) -> Tensor:
    """Some entries of a tensor along its first axis, which lie equally far from each other."""
    start, stop = steps[0], steps[-1]
    stride = steps[1] - start if len(steps) > 1 else 1
    if (start, stop, stride) == (0, len(x) - 1, 1):
        return x
    if stride > 0:
        return x[start : stop + 1 : stride]
    return x[stop : start + 1 : -stride].flip(0)


def _axis_of(index: Any, rank: int) -> tuple[int, tuple[int, ...]] | None:
    """The axis that an index goes along step by step, and the entries that it takes."""
    entries = index if isinstance(index, tuple) else (index,)
    if any(isinstance(x, tuple | list) for x in entries):
        return None
    moving = [i for i, x in enumerate(entries) if isinstance(x, Varying)]
    if len(moving) != 1 or not all(_is_all(x) for i, x in enumerate(entries) if i != moving[0]):
        return None
    axis = place = moving[0]
    if any(isinstance(x, Fixed) and x.value is ... for x in entries[:place]):
        axis = rank - (len(entries) - place)
    return _from(axis, entries[place], rank)


def _is_all(index: Any) -> bool:
    """Whether an index takes a whole axis."""
    if isinstance(index, slice):
        bounds = index.start, index.stop, index.step
        return all(isinstance(x, Fixed) and x.value is None for x in bounds)
    return isinstance(index, Fixed) and index.value is ...


def _selected(indices: Sequence[Any], rank: int) -> tuple[int, tuple[int, ...]] | None:
    """The same for ``x.select(axis, t)``."""
    if len(indices) != 2 or not isinstance(indices[0], Fixed):
        return None
    return _from(indices[0].value % rank, indices[1], rank)


def _from(axis: int, index: Any, rank: int) -> tuple[int, tuple[int, ...]] | None:
    if not isinstance(index, Varying) or not 0 <= axis < rank:
        return None
    numbers = index.entries
    if not all(type(x) is int and x >= 0 for x in numbers):
        return None
    strides = {b - a for a, b in itertools.pairwise(numbers)}
    return (axis, numbers) if len(strides) == 1 and strides != {0} else None
