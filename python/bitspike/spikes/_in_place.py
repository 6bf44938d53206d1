"""Writes into tensors that cannot be written: a new tensor where possible, else an error."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

Kind = type[Tensor]


def out_of_place(args: tuple[Any, ...], kwargs: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """Keyword arguments with ``inplace=False`` if the first argument is of this kind."""
    if kwargs.get("inplace") and args and isinstance(args[0], kind):
        return {**kwargs, "inplace": False}
    return kwargs


def refuse_writes(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], kind: Kind
) -> None:
    """Refuses a call that would write into an argument of this kind.

    Raises:
        RuntimeError: if it would.
    """
    for x in _written(func, args, kwargs):
        for tensor in x if isinstance(x, list | tuple) else [x]:
            if isinstance(tensor, kind):
                raise RuntimeError(
                    f"{getattr(func, '__name__', func)} would write into a {type(tensor).__name__} "
                    f"of shape {tuple(tensor.shape)}, which cannot be written; write into a copy, "
                    "such as the .dense() of spikes"
                )


def _written(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[Any]:
    """The arguments that a call writes: those that its schema says, or else its name."""
    if isinstance(func, torch._ops.OpOverload):
        if func.namespace == "c10d" and func._opname.endswith("_"):
            # Those of torch.distributed write their first argument, and no schema says so.
            yield tree_leaves(args[0])
        elif func._schema.is_mutable:
            for position, argument in enumerate(func._schema.arguments):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    given = position < len(args)
                    yield args[position] if given else kwargs.get(argument.name)
        return
    yield kwargs.get("out")
    name = getattr(func, "__name__", "")
    by_name = name.endswith("_") and not name.endswith("__") and name not in _HARMLESS
    if by_name or func in _SETTERS:
        yield args[0] if args else next(iter(kwargs.values()), None)


_HARMLESS = frozenset(("requires_grad_", "share_memory_", "detach_"))
_SETTERS: frozenset[Any] = frozenset(
    (
        Tensor.__setitem__,
        Tensor.data.__set__,  # type: ignore[attr-defined]
        Tensor.real.__set__,  # type: ignore[attr-defined]
        Tensor.imag.__set__,  # type: ignore[attr-defined]
    )
)


def _assignment(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def assigned(self: Any, other: Any) -> Any:
        result = operation(self, other)
        if result.shape != self.shape or not torch.can_cast(result.dtype, self.dtype):
            raise RuntimeError(
                f"what is assigned to a tensor {tuple(self.shape)}, {self.dtype}, must fit, "
                f"but is {tuple(result.shape)}, {result.dtype}"
            )
        return result.to(self.dtype)

    return assigned


class OutOfPlace:
    """Augmented assignments that bind a new tensor: ``x += y`` has the shape and dtype of ``x``."""

    __iadd__ = _assignment(operator.add)
    __isub__ = _assignment(operator.sub)
    __imul__ = _assignment(operator.mul)
    __itruediv__ = _assignment(operator.truediv)
    __ifloordiv__ = _assignment(operator.floordiv)
    __imod__ = _assignment(operator.mod)
    __ipow__ = _assignment(operator.pow)
    __iand__ = _assignment(operator.and_)
    __ior__ = _assignment(operator.or_)
    __ixor__ = _assignment(operator.xor)
    __ilshift__ = _assignment(operator.lshift)
    __irshift__ = _assignment(operator.rshift)
