"""Programs are built instruction by instruction, without repeating or keeping what is not used."""

from __future__ import annotations

from ctypes import c_float
from math import copysign, isnan
from typing import Any, NamedTuple

from bitspike.ops.straight_line import TRANSCENDENTAL, Instruction, Program

KINDS = ("sequences", "states", "constants")
"""The inputs of a program, in their order."""

Expression = str | float | tuple[Any, ...]
"""The name of a neuron's tensor, a number, or an operation and its operands."""


class Results(NamedTuple):
    """The values that leave a program, by their numbers in the builder."""

    spikes: int | None
    outputs: tuple[int, ...]
    next: tuple[int, ...]
    sums: tuple[int, ...]


class Builder:
    """Values and operations on them, each kept once.

    Args:
        exact: Simplify only where no bit changes; otherwise the sign of a zero may.
    """

    def __init__(self, exact: bool = True) -> None:
        self.exact = exact
        self._entries: list[tuple[object, ...]] = []
        self._numbers: dict[tuple[object, ...], int] = {}
        self.computed: dict[str, Expression] = {}
        """What constants are that torch computes of a neuron's own, by their names."""

    def _value(self, *entry: object) -> int:
        """The number of an input, an immediate or an operation; the same for the same."""
        if entry not in self._numbers:
            self._numbers[entry] = len(self._entries)
            self._entries.append(entry)
        return self._numbers[entry]

    def input(self, kind: str, name: str) -> int:
        """An input of one of the `KINDS`."""
        return self._value(kind, name)

    def number(self, x: float) -> int:
        """An immediate, rounded to float32, as torch does with a number that meets a tensor."""
        rounded = c_float(x).value
        return self._value("immediates", "nan" if isnan(rounded) else rounded.hex())

    def immediate(self, value: int) -> float | None:
        """The number of an immediate; None for every other value."""
        kind, *rest = self._entries[value]
        if kind != "immediates":
            return None
        text = str(rest[0])
        return float("nan") if text == "nan" else float.fromhex(text)

    def op(self, op: str, *operands: int) -> int:
        """An operation on values."""
        simpler = self._simpler(op, operands)
        if simpler is not None:
            return simpler
        if op in TRANSCENDENTAL:
            expression = self._expression(op, operands)
            if expression is not None:
                name = _written(expression)
                self.computed[name] = expression
                return self.input("constants", name)
        return self._value(op, *operands)

    def _expression(self, op: str, operands: tuple[int, ...]) -> Expression | None:
        """An operation as one on constants and numbers alone, or None if it is on others too."""
        parts: list[Expression] = []
        for value in operands:
            kind, *rest = self._entries[value]
            number = self.immediate(value)
            part: Expression | None = number
            if kind == "constants":
                part = self.computed.get(str(rest[0]), str(rest[0]))
            elif number is None:
                part = self._expression(str(kind), self._operands(value)) if rest else None
            if part is None or kind in ("sequences", "states"):
                return None
            parts.append(part)
        return (op, *parts)

    def _simpler(self, op: str, operands: tuple[int, ...]) -> int | None:
        """What has the same bits as an operation, but is there already."""
        numbers = [self.immediate(x) for x in operands]
        if op == "mul":
            for number, other in zip(numbers, reversed(operands), strict=True):
                if number == 1:
                    return other
                if number == -1:
                    return self.op("neg", other)
        elif op == "div" and numbers[1] == 1:
            return operands[0]
        elif op in ("add", "sub"):
            return self._without_zero(op, operands)
        elif op == "neg":
            if self._entries[operands[0]][0] == "neg":
                return self._operands(operands[0])[0]
            if numbers[0] is not None:
                return self.number(-numbers[0])
        elif op in ("gt", "lt") and numbers[1] == 0:
            # Floats differ by 0 only if they are equal; of two infinities neither is above.
            if self._entries[operands[0]][0] == "sub":
                return self.op(op, *self._operands(operands[0]))
        elif op == "where":
            if operands[1] == operands[2]:
                return operands[1]
            if numbers[0] is not None:
                return operands[1] if numbers[0] else operands[2]
        return None

    def _without_zero(self, op: str, operands: tuple[int, ...]) -> int | None:
        """A sum of which one part is 0; only ``x - 0`` and ``x + -0`` keep the sign of a zero."""
        left, right = (self.immediate(x) for x in operands)
        kept = -1.0 if op == "add" else 1.0
        if right == 0 and (not self.exact or copysign(1, right) == kept):
            return operands[0]
        if left == 0 and (not self.exact or op == "add" and copysign(1, left) < 0):
            return operands[1] if op == "add" else self.op("neg", operands[1])
        return None

    def used(self, results: Results) -> set[int]:
        """The values that results are made of."""
        spikes = () if results.spikes is None else (results.spikes,)
        todo = [*spikes, *results.outputs, *results.next, *results.sums]
        found: set[int] = set()
        while todo:
            value = todo.pop()
            if value not in found:
                found.add(value)
                todo += self._operands(value)
        return found

    def _operands(self, value: int) -> tuple[int, ...]:
        _, *rest = self._entries[value]
        return tuple(x for x in rest if isinstance(x, int))

    def program(self, names: dict[str, tuple[str, ...]], results: Results) -> Program:
        """The program of these results, with inputs of these names, by their kind."""
        used = sorted(self.used(results))
        inputs = [(kind, name) for kind in KINDS for name in names[kind]]
        place = {self._value(*entry): i for i, entry in enumerate(inputs)}
        immediates = [x for x in used if self.immediate(x) is not None]
        operations = [x for x in used if self._operands(x)]
        for value in (*immediates, *operations):
            place[value] = len(place)
        code = tuple(
            Instruction(str(self._entries[x][0]), tuple(place[y] for y in self._operands(x)))
            for x in operations
        )
        return Program(
            sequences=names["sequences"],
            states=names["states"],
            constants=names["constants"],
            immediates=tuple(_number(self.immediate(x)) for x in immediates),
            code=code,
            spikes=None if results.spikes is None else place[results.spikes],
            outputs=tuple(place[x] for x in results.outputs),
            next=tuple(place[x] for x in results.next),
            sums=tuple(place[x] for x in results.sums),
        )


def _number(x: float | None) -> float:
    assert x is not None
    return x


def _written(expression: Expression) -> str:
    """An expression of constants as the name of one."""
    if isinstance(expression, tuple):
        op, *operands = expression
        return f"{op}({', '.join(_written(x) for x in operands)})"
    return expression if isinstance(expression, str) else f"{expression:.9g}"
