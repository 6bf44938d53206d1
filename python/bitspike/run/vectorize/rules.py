"""How single calls take whole sequences: time as one more axis in front, or folded into the batch.

A rule gives the same numbers as the steps one by one, except that products and convolutions may add
in another order. What has no rule runs step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Size, Tensor, nn

from bitspike.graph import Node
from bitspike.graph.modules import shaped_as
from bitspike.graph.values import leaves, map_leaves
from bitspike.layers.graded import GradedSpikes
from bitspike.ops.route import has_hooks

Whole = Callable[..., Any]
"""What a call does with whole sequences ``[T, *]`` in the place of the arguments that move."""


@dataclass(frozen=True)
class Moving:
    """An argument that differs from step to step: the shape of one step."""

    shape: Size


def rule(node: Node, args: Any, kwargs: Any) -> Whole | None:
    """How a call takes whole sequences; None if it must not.

    Args:
        node: The call of one step.
        args: Its arguments, with `Moving` in the place of those that are sequences.
        kwargs: Likewise.
    """
    plain = bool(args) and node.outputs == [node.result] and not (node.draws or node.writes)
    if not plain or not any(isinstance(x, Moving) for x in leaves((args, kwargs))):
        return None
    if node.module is not None:
        return _of_module(node.module, args, kwargs)
    name = node.name
    if name in _ELEMENTWISE:
        return _elementwise(node, args, kwargs)
    found = _RULES.get(name)
    return None if found is None else found(node, args, kwargs)


def _of_module(module: nn.Module, args: Any, kwargs: Any) -> Whole | None:
    if has_hooks(module) or len(args) != 1 or kwargs or not isinstance(args[0], Moving):
        return None
    rank = len(args[0].shape)
    kind = shaped_as(module)
    if kind in _EACH_ELEMENT or (kind is nn.Linear and rank):
        return module
    if kind is nn.LayerNorm and rank > len(module.normalized_shape):  # type: ignore[arg-type]
        return module
    if kind is nn.Flatten:
        return _flatten(rank, module.start_dim, module.end_dim)  # type: ignore[arg-type]
    for axes, kinds in _OF_MAPS.items():
        if kind in kinds:
            if rank == axes + 2:
                return _folded(module)
            return module if rank == axes + 1 else None
    if kind in _NORMS and not module.training and module.running_mean is not None and rank >= 2:
        return _folded(module)
    return _folded(module) if kind is nn.GroupNorm and rank >= 2 else None


def _folded(function: Callable[..., Tensor]) -> Whole:
    """A function of a batch, called with time folded into the batch."""

    def run(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return torch.unflatten(function(x.flatten(0, 1), *args, **kwargs), 0, x.shape[:2])

    return run


_EACH_ELEMENT = frozenset(
    (
        *(nn.Identity, nn.Dropout, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU),
        *(nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Hardtanh, nn.Hardsigmoid),
        GradedSpikes,
    )
)
"""Modules of single elements; dropouts among them do not draw, or they would have no rule."""

_NORMS = frozenset((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))

_OF_MAPS = {
    1: (nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool1d, nn.AvgPool1d)
    + (nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d),
    2: (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d)
    + (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
    3: (nn.Conv3d, nn.ConvTranspose3d, nn.MaxPool3d, nn.AvgPool3d)
    + (nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d),
}
"""Modules of maps ``[B, C, *]``, or ``[C, *]``, by the number of axes of a map."""


_ELEMENTWISE = frozenset(
    """add sub mul div truediv true_divide subtract multiply divide radd rsub rmul rtruediv rdiv neg
    abs exp log sqrt square relu sigmoid tanh clamp clamp_min clamp_max where gt lt ge le eq ne
    greater less maximum minimum pow float double detach logical_and logical_or logical_not and or
    invert heaviside sign round floor ceil leaky_relu elu gelu silu softplus
    hardtanh""".split()
)
"""Functions of single elements, and of what broadcasts against them."""


def _elementwise(node: Node, args: Any, kwargs: Any) -> Whole | None:
    rank, function = len(node.outputs[0].shape), node.target
    ranks = [len(x.shape) for x in leaves((args, kwargs)) if isinstance(x, Moving)]
    if all(own == rank for own in ranks):
        return function  # type: ignore[no-any-return]
    if 0 in ranks:  # a number does not decide the dtype, and a sequence of numbers does
        return None
    lacks = map_leaves(
        lambda x: rank - len(x.shape) if isinstance(x, Moving) else 0, (args, kwargs)
    )
    lacking = list(leaves(lacks))

    def run(*args: Any, **kwargs: Any) -> Any:
        axes = iter(lacking)

        def aligned(x: Any) -> Any:
            ones = next(axes)
            return x.reshape(len(x), *(1,) * ones, *x.shape[1:]) if ones else x

        args, kwargs = map_leaves(aligned, (args, kwargs))
        return function(*args, **kwargs)

    return run


def _flatten(rank: int, start: int, end: int) -> Whole | None:
    if not rank:
        return None
    axes = start % rank + 1, end % rank + 1
    return lambda x, *_, **__: x.flatten(*axes)


def _arguments(node: Node, names: str, args: Any, kwargs: Any) -> dict[str, Any] | None:
    """Arguments by name; None if they are others."""
    wanted = names.split()
    if len(args) > len(wanted) or not set(kwargs) <= set(wanted):
        return None
    named: dict[str, Any] = kwargs
    return dict(zip(wanted, args, strict=False)) | named


def _flatten_function(node: Node, args: Any, kwargs: Any) -> Whole | None:
    given = _arguments(node, "input start_dim end_dim", args, kwargs)
    if given is None or not isinstance(given["input"], Moving):
        return None
    return _flatten(len(given["input"].shape), given.get("start_dim", 0), given.get("end_dim", -1))


def _reshape(node: Node, args: Any, kwargs: Any) -> Whole | None:
    """Any reshape to sizes that the graph knows."""
    sizes = list(leaves((args[1:], kwargs)))
    if not isinstance(args[0], Moving) or not all(type(x) is int for x in sizes):
        return None
    shape = tuple(node.outputs[0].shape)
    return lambda x, *_, **__: x.reshape(len(x), *shape)


def _axes(node: Node, args: Any, kwargs: Any) -> Whole | None:
    """Functions of one tensor that name its axes, which are one further behind."""
    more = 1 if node.name == "unsqueeze" else 0
    if not args or not isinstance(args[0], Moving):
        return None
    axes = list(leaves((args[1:], kwargs)))
    rank = len(args[0].shape) + more
    if not axes or not rank or not all(type(x) is int for x in axes):
        return None
    if node.name == "permute":
        return lambda x, *_, **__: x.permute(0, *(axis % rank + 1 for axis in axes))
    function = node.target
    further, named = map_leaves(lambda axis: axis % rank + 1, (args[1:], kwargs))
    return lambda x, *_, **__: function(x, *further, **named)


def _joined(node: Node, args: Any, kwargs: Any) -> Whole | None:
    """Concatenations and stacks of what moves."""
    given = _arguments(node, "tensors dim", args, kwargs)
    if given is None or not isinstance(given["tensors"], list | tuple):
        return None
    tensors, axis = given["tensors"], given.get("dim", 0)
    if not all(isinstance(x, Moving) for x in tensors) or type(axis) is not int:
        return None
    axis = axis % len(node.outputs[0].shape) + 1
    function = node.target
    return lambda tensors, *_, **__: function(tensors, axis)


def _linear(node: Node, args: Any, kwargs: Any) -> Whole | None:
    fixed = not any(isinstance(x, Moving) for x in leaves((args[1:], kwargs)))
    return node.target if isinstance(args[0], Moving) and fixed and args[0].shape else None


def _pad(node: Node, args: Any, kwargs: Any) -> Whole | None:
    given = _arguments(node, "input pad mode value", args, kwargs)
    if given is None or given.get("mode", "constant") != "constant":
        return None
    return _linear(node, args, kwargs)


def _product(node: Node, args: Any, kwargs: Any) -> Whole | None:
    """A product of what moves and a matrix that does not."""
    if len(args) != 2 or kwargs or not isinstance(args[0], Moving) or isinstance(args[1], Moving):
        return None
    return node.target if len(args[0].shape) and len(args[1].shape) == 2 else None


def _of_maps(axes: int) -> Callable[[Node, Any, Any], Whole | None]:
    def found(node: Node, args: Any, kwargs: Any) -> Whole | None:
        fixed = not any(isinstance(x, Moving) for x in leaves((args[1:], kwargs)))
        if not args or not isinstance(args[0], Moving) or not fixed or len(node.outputs) != 1:
            return None
        return _folded(node.target) if len(args[0].shape) == axes + 2 else None

    return found


_RULES: dict[str, Callable[[Node, Any, Any], Whole | None]] = {
    "flatten": _flatten_function,
    "view": _reshape,
    "reshape": _reshape,
    "linear": _linear,
    "pad": _pad,
    "matmul": _product,
    "cat": _joined,
    "concat": _joined,
    "stack": _joined,
    **dict.fromkeys(("unsqueeze", "squeeze", "transpose", "permute", "movedim"), _axes),
    **{
        f"{name}{axes}d": _of_maps(axes)
        for axes in (1, 2, 3)
        for name in ("conv", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool")
    },
}
"""By the name of the function."""
