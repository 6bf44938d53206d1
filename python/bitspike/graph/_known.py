"""Which value stands for a tensor that a program has in its hands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from ._frames import line, outer_variables, user_frames
from ._names import Names, parameters_of
from .errors import GraphError
from .values import Attribute, Constant, Input, Node, Output, Value, map_leaves, tensors_of


class Known:
    """The tensors of a program, and the value of each."""

    def __init__(self, program: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.names = Names(program, args, kwargs)
        self.inputs: list[Input] = []
        self._values: dict[int, tuple[Tensor, Value]] = {}
        """By id; the tensors are kept, so that no other one gets it."""
        self._in_memory: Counter[Any] = Counter()
        """How many of them lie in the same memory."""
        self._outer = [variable.read() for variable in outer_variables(program)]
        names: dict[int, str] = {}
        for name, value in parameters_of(program, args, kwargs):
            for i, x in enumerate(tensors_of(value)):
                names[id(x)] = name if value is x else f"{name}{i}"
        for i, x in enumerate(tensors_of((args, kwargs))):
            if id(x) not in self._values:
                self.inputs.append(Input(x.shape, x.dtype, names.get(id(x), f"input{i}"), i))
                self.set(x, self.inputs[-1])

    def set(self, x: Tensor, value: Value) -> None:
        """From here on this value stands for a tensor."""
        if id(x) not in self._values:
            self._in_memory[_memory(x)] += 1
        self._values[id(x)] = x, value

    def structure(self, arguments: Any) -> Any:
        """Arguments with values in place of tensors."""
        return map_leaves(self.of, arguments)

    def of(self, x: Any) -> Any:
        """The value that stands for a tensor; anything else stands for itself.

        Raises:
            GraphError: for a tensor of which nobody knows where it comes from.
        """
        if not isinstance(x, Tensor):
            return x
        if id(x) not in self._values:
            self.set(x, self._found(x))
        return self._values[id(x)][1]

    def made(self, node: Node, x: Any) -> Any:
        """The value of a tensor that a call returned: a new one, or what was passed to it."""
        if not isinstance(x, Tensor):
            return x
        if id(x) not in self._values:
            output = Output(x.shape, x.dtype, node, len(node.outputs))
            node.outputs.append(output)
            self.set(x, output)
        return self._values[id(x)][1]

    def shares_memory(self, x: Tensor) -> bool:
        """Whether another tensor of the program lies in the memory of this one."""
        return self._in_memory[_memory(x)] > 1

    def _found(self, x: Tensor) -> Value:
        """The value of a tensor that was there before the program ran."""
        holder = self.names.holder(x)
        if holder is not None:
            return Attribute(x.shape, x.dtype, *holder)
        if any(x is held for held in tensors_of(list(self._outside()))):
            return Constant(x.shape, x.dtype, x)
        raise GraphError(
            f"a tensor of shape {tuple(x.shape)} was made in a way that a graph cannot repeat; "
            "make it before, and pass it as an argument",
            line(),
        )

    def _outside(self) -> Iterator[Any]:
        """What a program may refer to besides its arguments and attributes."""
        yield from self._outer
        for frame in user_frames():
            yield from frame.f_globals.values()
        for module in self.names.modules:
            for name, value in module.__dict__.items():
                if isinstance(value, list | tuple | dict) and not name.startswith("_"):
                    yield value


def _memory(x: Tensor) -> Any:
    try:
        return x.untyped_storage()._cdata
    except (RuntimeError, NotImplementedError):  # it has none of its own
        return id(x)
