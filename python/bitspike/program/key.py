"""What decides which program a neuron has."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from operator import is_
from types import FunctionType, MethodType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from .tensors import attributes

_PLAIN = frozenset((bool, int, str, bytes, type(None), frozenset))


def key(neuron: nn.Module) -> Hashable:
    """The class, the options, and over which axes its tensors repeat.

    Two neurons with the same key have the same program. The numbers of tensors are no part of it.
    """
    return known_of(neuron).key


def known_of(neuron: nn.Module) -> Known:
    """The key of a neuron as it is, and what it was made of."""
    known = _known.get(neuron)
    if known is None or not known.holds(neuron):
        known = _known[neuron] = Known(neuron)
    return known


class Known:
    """The key of a neuron, and what it was made of: comparing that takes less than making it."""

    def __init__(self, neuron: nn.Module) -> None:
        self.key = _frozen(neuron, ())
        self.held: dict[int, _Held] = {}
        self.shapes: list[tuple[Tensor, Any]] = []
        self.kind = type(neuron)
        self.kinds: list[tuple[Any, type]] = []
        self.is_whole = self._watch(neuron)
        """Whether all that it was made of is compared; otherwise it is made anew each time."""
        if not self.is_whole:
            self.held.clear()
            self.shapes.clear()
            self.kinds.clear()
        # The neuron itself would be kept alive.
        self.kinds = [(x, kind) for x, kind in self.kinds if x is not neuron]

    def holds(self, neuron: nn.Module) -> bool:
        """Whether every attribute is the object that it was, of its class and with its shape."""
        if not self.is_whole or type(neuron) is not self.kind:
            return False
        for x, kind in self.kinds:  # A generator would take longer than all the rest.
            if type(x) is not kind:
                return False
        for holder, names, values, size in self.held.values():
            now = map(holder.get, names) if names else holder
            if len(holder) != size or not all(map(is_, now, values)):
                return False
        for x, shape in self.shapes:
            if x.shape != shape:
                return False
        return True

    def _watch(self, x: Any) -> bool:
        """Notes what an object refers to; False where it may change and no dictionary tells."""
        if isinstance(x, Tensor):
            self.shapes.append((x, x.shape))
            return True
        if type(x) in _PLAIN or isinstance(x, float | type):
            return True
        if id(x) in self.held:
            # A module that refers to itself would be kept alive by what is known of it.
            return not isinstance(x, nn.Module)
        if type(x) is tuple:
            return all(map(self._watch, x))
        if isinstance(x, FunctionType | MethodType | partial | set):
            return False
        if type(x) not in (dict, list):
            self.kinds.append((x, type(x)))
        if isinstance(x, nn.Module):
            own = attributes(x)
            self.held[id(x)] = _Held(x.__dict__, tuple(own), tuple(own.values()), len(x.__dict__))
            return all(map(self._watch, (*own.values(), x._parameters, x._buffers, x._modules)))
        inside = x if type(x) in (dict, list) else getattr(x, "__dict__", None)
        if inside is None:
            return False
        names = tuple(inside) if isinstance(inside, dict) else ()
        values = tuple(inside.values() if names else inside)
        self.held[id(x)] = _Held(inside, names, values, len(inside))
        return all(map(self._watch, values))


class _Held(NamedTuple):
    """A dictionary or a list, and what was in it."""

    holder: Any
    names: tuple[Any, ...]
    """Of a dictionary."""
    values: tuple[Any, ...]
    size: int


_known: WeakKeyDictionary[nn.Module, Known] = WeakKeyDictionary()


def _frozen(x: Any, above: tuple[int, ...]) -> Hashable:
    """The contents of an object as something that can be compared later."""
    kind = type(x)
    if kind in _PLAIN:
        return kind, x
    if kind is float:
        return float.hex(x)
    if isinstance(x, Tensor):
        return "tensor", tuple(size == 1 for size in x.shape), x.is_floating_point() or x.dtype
    if isinstance(x, type):
        return type, x
    if id(x) in above:
        return "above", above.index(id(x))
    above = (*above, id(x))
    if kind is dict:
        return tuple(x), tuple([_frozen(y, above) for y in x.values()])
    if isinstance(x, nn.Module):
        parts = (x._parameters, x._buffers, attributes(x), x._modules)
        return kind, tuple([_frozen(part, above) for part in parts])
    return _frozen_object(x, above)


def _frozen_object(x: Any, above: tuple[int, ...]) -> Hashable:
    if isinstance(x, Mapping):
        return type(x), tuple((_frozen(k, above), _frozen(v, above)) for k, v in x.items())
    if isinstance(x, tuple | list | set):
        return type(x), tuple(_frozen(y, above) for y in x)
    if isinstance(x, float):
        return type(x), x.hex()
    if isinstance(x, int | str | bytes | frozenset):
        return type(x), x
    if isinstance(x, MethodType):
        return x.__func__, _frozen(x.__self__, above)
    if isinstance(x, FunctionType):
        return x, _frozen((_closed(x), x.__defaults__, x.__kwdefaults__), above)
    if isinstance(x, partial):
        return partial, _frozen((x.func, x.args, x.keywords), above)
    if is_dataclass(x):
        return type(x), _frozen([getattr(x, field.name) for field in fields(x)], above)
    return _Itself(x), _frozen(getattr(x, "__dict__", {}), above)


def _closed(x: FunctionType) -> list[Any]:
    """What a function refers to in the functions around it."""
    names = inspect.getclosurevars(x).nonlocals
    return list(names.items())


class _Itself(NamedTuple):
    """An object that equals itself alone."""

    held: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.held is other.held

    def __hash__(self) -> int:
        return id(self.held)
