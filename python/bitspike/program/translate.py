"""A traced step becomes a program: every call one or a few operations on each neuron alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import fx

from .arithmetic import RULES, Number
from .build import Builder
from .errors import ProgramError

_VIEWS = frozenset(
    ("alias", "detach", "expand", "view", "_unsafe_view", "reshape", "unsqueeze", "squeeze")
    + ("permute", "transpose", "t", "lift_fresh")
)
_COPIES = frozenset(("clone", "contiguous", "lift_fresh_copy", "_to_copy"))
_WRITTEN = frozenset(("fill", "zero", "copy"))
_RANDOM = frozenset(("rand", "rand_like"))
_FILLED = {
    **{"zeros_like": 0.0, "ones_like": 1.0, "zeros": 0.0, "ones": 1.0},
    **{"new_zeros": 0.0, "new_ones": 1.0, "empty_like": math.nan},
}
"""What makes a tensor of one number; what is empty is written to before it is read."""
_FULL = {"full_like": 1, "full": 1, "new_full": 2, "scalar_tensor": 0}
"""Likewise, and at which position the number stands."""
_BOOLEAN = frozenset(
    ("gt", "ge", "lt", "le", "eq", "ne", "where", "isnan", "isinf", "masked_fill")
    + ("logical_and", "logical_or", "logical_not", "logical_xor")
    + ("bitwise_and", "bitwise_or", "bitwise_not", "bitwise_xor")
)
"""What makes truth values, or carries them."""
_COUPLING = frozenset(
    ("sum", "mean", "mm", "addmm", "bmm", "mv", "dot", "convolution", "cat", "stack", "amax")
    + ("amin", "max", "min", "argmax", "topk", "sort", "cumsum", "prod", "norm", "softmax")
    + ("_softmax", "select", "slice", "index", "roll", "flip", "var", "std", "scatter")
)
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)

IN_PLACE = "step writes to what it was given, to a view, or to what its gradient needs"


class Traced(NamedTuple):
    """What is known about a tensor of the trace."""

    value: int
    """Its number in the builder."""
    shape: tuple[int, ...]
    is_gradient: bool = False
    """Whether it is made of gradients."""
    is_constant: bool = False
    """Whether it is made of constants and numbers alone."""
    is_summed: bool = False
    """Whether torch has summed it over the axes that a constant repeats over.

    The program carries what it is the sum of.
    """


class _Cell:
    """A tensor's memory, which operations in place write to."""

    def __init__(self, held: Traced, owned: bool) -> None:
        self.held, self.owned = held, owned


class Translator:
    """The values of a traced graph, node by node.

    Args:
        build: Takes the operations.
        step: The shape of one step in the trace, whose sizes all differ.
        draw: Makes the value of the next random numbers.
    """

    def __init__(self, build: Builder, step: tuple[int, ...], draw: Callable[[fx.Node], int]):
        self.build, self.step, self.draw = build, step, draw
        self.cells: dict[fx.Node, _Cell] = {}

    def enter(self, node: fx.Node, held: Traced) -> None:
        """Gives an input its value."""
        self.cells[node] = _Cell(held, owned=False)

    def of(self, node: Any) -> Traced:
        """What is known about a result."""
        return self.cells[node].held

    def call(self, node: fx.Node) -> None:
        """Translates a call.

        Raises:
            ProgramError: if no program has it.
        """
        if node.op != "call_function":
            raise ProgramError("step reads a tensor that is no attribute of the neuron")
        name = node.target._schema.name.partition("::")[2]  # type: ignore[union-attr]
        in_place = name.endswith("_") and not name.endswith("__")
        name = name.rstrip("_") if in_place else name
        result = node.meta["val"]
        if not isinstance(result, torch.Tensor):
            raise ProgramError(_why(name))
        if not in_place and name in _VIEWS:
            self.cells[node] = self._view(node, tuple(result.shape))
            return
        held = self._computed(name, node, result)
        if not in_place:
            self.cells[node] = _Cell(held, owned=True)
            return
        cell = self.cells[node.args[0]]  # type: ignore[index]
        if not cell.owned:
            raise ProgramError(IN_PLACE)
        cell.held = held
        self.cells[node] = cell

    def _view(self, node: fx.Node, shape: tuple[int, ...]) -> _Cell:
        cell = self.cells[node.args[0]]  # type: ignore[index]
        if shape == cell.held.shape:
            return cell
        if max(len(shape), len(cell.held.shape)) > len(self.step):
            raise ProgramError("step makes tensors of more axes than its input has")
        if not _repeats(cell.held.shape, shape):
            raise ProgramError("step moves numbers from one neuron to another")
        if cell.held.is_summed and math.prod(shape) != math.prod(cell.held.shape):
            raise ProgramError("the gradient of a parameter is not a sum over neurons")
        cell.owned = False
        return _Cell(cell.held._replace(shape=shape), owned=False)

    def _is_known(self, name: str, operands: list[Traced]) -> bool:
        made = name in _FILLED or name in _FULL or name in _WRITTEN or name in _RANDOM
        of_gradients = name == "sum" and any(x.is_gradient for x in operands)
        return made or of_gradients or name in _COPIES or name in RULES

    def _computed(self, name: str, node: fx.Node, result: torch.Tensor) -> Traced:
        shape = tuple(result.shape)
        operands = [self.of(x) for x in node.all_input_nodes]
        if not self._is_known(name, operands):
            raise ProgramError(_why(name))
        if not _repeats(shape, self.step):
            raise ProgramError("step makes a tensor that has not one number for each neuron")
        if name in _RANDOM:
            return Traced(self._drawn(node, shape, result.dtype), shape)
        if name in _FILLED or name in _FULL:
            number = _FILLED[name] if name in _FILLED else node.args[_FULL[name]]
            filled = self.build.number(float(number))  # type: ignore[arg-type]
            # Where a function is flat, its gradient is 0, like the one that it is given.
            is_gradient = any(x.is_gradient for x in operands)
            is_zero = self.build.immediate(filled) == 0
            is_summed = is_zero and any(x.is_summed for x in operands)
            return Traced(filled, shape, is_gradient, is_constant=True, is_summed=is_summed)
        if name == "fill":
            operands, name = operands[1:], "copy"
            if not operands:
                filled = self.build.number(float(node.args[1]))  # type: ignore[arg-type]
                return Traced(filled, shape, is_constant=True)
        if name == "zero":
            return Traced(self.build.number(0), shape, is_constant=True)
        flags = Traced(
            0,
            shape,
            is_gradient=any(x.is_gradient for x in operands),
            is_constant=all(x.is_constant for x in operands),
        )
        if name == "sum":
            return self._summed(node, operands[0], shape)
        if name in _COPIES or name == "copy":
            value = self._converted(operands[-1], result.dtype)
            return flags._replace(value=value, is_summed=operands[-1].is_summed)
        if result.dtype == torch.bool and self._are_integers(node):
            raise ProgramError("step compares integers")
        value = self._applied(_logical(name, result.dtype), node)
        self._expect_dtype(name, value, result.dtype)
        is_summed = any(x.is_summed for x in operands)
        if is_summed:
            self._expect_linear(name, node, shape)
        return flags._replace(value=value, is_summed=is_summed)

    def _applied(self, name: str, node: fx.Node) -> int:
        named = {key: self._argument(x) for key, x in node.kwargs.items()}
        return RULES[name](self.build, *(self._argument(x) for x in node.args), **named)

    def _argument(self, x: Any) -> Any:
        if isinstance(x, fx.Node):
            return self.of(x).value
        return Number(x) if isinstance(x, int | float) else x

    def _are_integers(self, node: fx.Node) -> bool:
        dtypes = {x.meta["val"].dtype for x in node.all_input_nodes}
        return not dtypes.isdisjoint(_INTEGERS) and torch.float32 not in dtypes

    def _drawn(self, node: fx.Node, shape: tuple[int, ...], dtype: torch.dtype) -> int:
        if shape != self.step or dtype != torch.float32 or "generator" in node.kwargs:
            raise ProgramError("random numbers must be torch's, one for each neuron")
        return self.draw(node)

    def _summed(self, node: fx.Node, x: Traced, shape: tuple[int, ...]) -> Traced:
        """A gradient summed over the axes that its constant repeats over."""
        axes = node.args[1] if len(node.args) > 1 else ()
        removed = len(x.shape) - len(shape)
        places = {int(axis) % len(x.shape) for axis in axes or range(len(x.shape))}  # type: ignore
        if removed and places != set(range(removed)):
            raise ProgramError(_why("sum"))
        is_summed = x.is_summed or math.prod(shape) != math.prod(x.shape)
        return x._replace(shape=shape, is_summed=is_summed)

    def _converted(self, x: Traced, dtype: torch.dtype) -> int:
        if dtype == torch.bool:
            return self.build.op("ne", x.value, self.build.number(0))
        if dtype in _INTEGERS and self.build.immediate(x.value) is None:
            raise ProgramError("step computes with integers")
        self._expect_dtype("where", x.value, dtype)
        return x.value

    def _expect_dtype(self, name: str, value: int, dtype: torch.dtype) -> None:
        if dtype == torch.float32 or self.build.immediate(value) is not None:
            return
        if dtype == torch.bool and name in _BOOLEAN | {"mul", "add"}:
            return
        if dtype in _INTEGERS and name == "where":
            return
        raise ProgramError(f"step computes in {dtype}, and programs in float32")

    def _expect_linear(self, name: str, node: fx.Node, shape: tuple[int, ...]) -> None:
        """Checks that an operation on a sum is one on what is summed.

        Raises:
            ProgramError: if it is not.
        """
        known = [self.of(x) if isinstance(x, fx.Node) else None for x in node.args]
        summed = [x is not None and x.is_summed for x in known]
        others = [x for x in known if x is not None and not x.is_summed]
        fits = all(x is None or not x.is_summed or x.shape == shape for x in known)
        if name in ("add", "sub"):
            zero = [self._is_zero(x) for x in node.args[:2]]
            linear = all(a or b for a, b in zip(summed, zero, strict=False))
        elif name in ("where", "masked_fill"):
            zero = [self._is_zero(x) for x in node.args]
            linear = all(
                x.is_constant and (i == _CONDITION[name] or zero[i])
                for i, x in enumerate(known)
                if x is not None and not x.is_summed
            )
        else:
            first = name == "mul" or summed[0]
            scales = name in ("mul", "div", "neg") or name.endswith("_backward")
            linear = scales and first and sum(summed) == 1 and all(x.is_constant for x in others)
        if not (linear and fits):
            raise ProgramError("the gradient of a parameter is not a sum over neurons")

    def _is_zero(self, x: Any) -> bool:
        number = self.build.immediate(self.of(x).value) if isinstance(x, fx.Node) else x
        return isinstance(number, int | float) and number == 0


_CONDITION = {"where": 0, "masked_fill": 1}


def _repeats(given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether numbers of one shape, repeated over its axes of size 1, have the other shape."""
    rank = max(len(given), len(shape))
    sides = [(1,) * (rank - len(x)) + x for x in (given, shape)]
    return all(a in (1, b) for a, b in zip(*sides, strict=True))


def _logical(name: str, dtype: torch.dtype) -> str:
    """The function, for truth values, of which torch makes logic."""
    if dtype == torch.bool and name in ("mul", "add"):
        return "logical_and" if name == "mul" else "logical_or"
    return name


def _why(name: str) -> str:
    if name in _COUPLING or name.rstrip("_") in _COUPLING:
        return f"step calls {name}, which couples the neurons of a layer"
    return f"step calls {name}, which is no operation of programs"
