"""What decides which program a neuron has."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from torch import Tensor, nn

from .tensors import attributes

_PLAIN = frozenset((bool, int, str, bytes, type(None), frozenset))


def key(neuron: nn.Module) -> Hashable:
    """The class, the options, and over which axes its tensors repeat.

    Two neurons with the same key have the same program. The numbers of tensors are no part of it.
    """
    return _frozen(neuron, ())


def _frozen(x: Any, above: tuple[int, ...]) -> Hashable:
    """The contents of an object as something that can be compared later."""
    kind = type(x)
    if kind in _PLAIN:
        return kind, x
    if kind is float:
        return x.hex()
    if isinstance(x, Tensor):
        return "tensor", tuple(size == 1 for size in x.shape), x.is_floating_point() or x.dtype
    if isinstance(x, type):
        return x
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
