"""When a captured program holds: what it was captured for, and what it relied upon."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.graph import Attribute, Graph, is_leaf
from bitspike.graph.values import leaves, values_of
from bitspike.ops.route import has_hooks

_PLAIN = (bool, int, float, str, type(None), tuple, torch.dtype, torch.device)
_OF_LEAVES = ("training", "init_hidden", "output", "multi_step", "step_mode", "inplace")


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
                name: held[name]
                for name in (_OF_LEAVES if leaf else tuple(held))
                if name in held and isinstance(held[name], _PLAIN)
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
        self._variables = [
            (variable.read, value)
            for variable in graph.variables
            if isinstance(value := variable.read(), (*_PLAIN, nn.Module, Tensor))
        ]

    def hold(self) -> bool:
        """Whether all is as it was."""
        for held, plain in self._attributes:
            for name, value in plain.items():
                now = held.get(name)
                if type(now) is not type(value) or now != value:
                    return False
        for read, value in self._variables:
            now = read()
            if now is not value and (isinstance(value, Tensor | nn.Module) or now != value):
                return False
        for attribute in self._tensors:
            now = getattr(attribute.owner, attribute.attribute, None)
            if not isinstance(now, Tensor) or now.shape != attribute.shape:
                return False
        return all(list(x._modules.values()) == children for x, children in self._children) and all(
            has_hooks(module) == hooked for module, hooked in self._hooked
        )
