"""When a captured program holds: what it was captured for, and what it relied upon."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.graph import Attribute, Graph
from bitspike.graph.modules import is_leaf
from bitspike.graph.values import leaves, values_of
from bitspike.ops.route import has_hooks

_PLAIN = (bool, int, float, str, type(None), torch.dtype, torch.device)
_OF_LEAVES = ("training", "init_hidden", "output", "multi_step", "step_mode", "p")


def key_of(args: Any, kwargs: Any) -> Hashable:
    """What a graph is captured for: shapes and kinds of tensors, all else, and torch's modes.

    Raises:
        TypeError: for an argument that is neither a tensor nor hashable.
    """
    entries: list[Hashable] = []
    seen: dict[int, int] = {}
    for x in leaves((args, kwargs)):
        if isinstance(x, Tensor):
            again = seen.setdefault(id(x), len(seen))
            entries.append((type(x), x.shape, x.dtype, x.device, again))
        else:
            entries.append((type(x), x))
    structure = _structure((args, kwargs))
    key = (
        tuple(entries),
        structure,
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu"),
    )
    try:
        hash(key)
    except TypeError:
        odd = next(x for x in leaves((args, kwargs)) if not isinstance(x, Hashable))
        raise TypeError(
            f"arguments must be tensors, or be hashable as numbers are, not {type(odd).__name__}"
        ) from None
    return key


def _structure(x: Any) -> Hashable:
    if isinstance(x, tuple | list):
        return (type(x), *(_structure(entry) for entry in x))
    if isinstance(x, dict):
        return (dict, *((name, _structure(entry)) for name, entry in x.items()))
    return isinstance(x, slice)


class Guards:
    """What a captured program relied upon: attributes of its modules, and global variables."""

    def __init__(self, graph: Graph) -> None:
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for module in graph.modules:
            leaf = is_leaf(module)
            held = vars(module)
            plain = {
                name: copy.deepcopy(held[name])
                for name in (_OF_LEAVES if leaf else tuple(held))
                if name in held and _is_plain(held[name])
            }
            self._attributes.append((held, plain))
        self._children = [
            (module, list(module._modules.values()))
            for module in graph.modules
            if not is_leaf(module)
        ]
        structures = [(node.args, node.kwargs, node.given) for node in graph.nodes]
        self._tensors = {
            value for value in values_of([structures, graph.result]) if isinstance(value, Attribute)
        }
        self._hooked = [(module, has_hooks(module)) for module in graph.modules]
        self._variables = []
        for variable in graph.variables:
            value = variable.read()
            if isinstance(value, nn.Module | Tensor):
                self._variables.append((variable.read, value))
            elif _is_plain(value):
                self._variables.append((variable.read, copy.deepcopy(value)))

    def hold(self) -> bool:
        """Whether all is as it was."""
        for held, plain in self._attributes:
            for name, value in plain.items():
                if not _is_same(held.get(name), value):
                    return False
        for read, value in self._variables:
            if not _is_same(read(), value):
                return False
        for attribute in self._tensors:
            now = getattr(attribute.owner, attribute.attribute, None)
            if not isinstance(now, Tensor) or now.shape != attribute.shape:
                return False
        return all(list(x._modules.values()) == children for x, children in self._children) and all(
            has_hooks(module) == hooked for module, hooked in self._hooked
        )


def _is_plain(value: Any) -> bool:
    """Whether a value consists of numbers, words and the like."""
    return all(isinstance(x, _PLAIN) for x in leaves(value))


def _is_same(now: Any, value: Any) -> bool:
    if now is value:
        return True
    if isinstance(value, Tensor | nn.Module) or type(now) is not type(value):
        return False
    return _is_plain(now) and bool(now == value)
