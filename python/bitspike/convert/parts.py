"""A network of rectifiers as a list of calls, whatever program it was written as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Size, Tensor, nn

from .qcfs import QCFS

LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d)
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d)
AVERAGE_POOLS = (nn.AvgPool1d, nn.AvgPool2d)


class Rectifier(nn.Module):
    r"""What neurons stand for: :math:`\min(\max(x, 0), \mathrm{limit})`."""

    def __init__(self, limit: float = float("inf")) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x: Tensor) -> Tensor:
        """Rectifies."""
        return x.clamp(0, self.limit)


class Reshape(nn.Module):
    """Another shape of each sample: ``[B, *]`` to ``[B, *shape]``."""

    def __init__(self, shape: Size) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Reshapes."""
        return x.reshape(len(x), *self.shape)


class Affine(nn.Module):
    r"""Numbers of their own for the values of a sample: :math:`y = s ⊙ x + c`."""

    scale: Tensor
    shift: Tensor | None

    def __init__(self, scale: Tensor, shift: Tensor | None = None) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale)
        self.register_parameter("shift", None if shift is None else nn.Parameter(shift))

    def forward(self, x: Tensor) -> Tensor:
        """Scales, and adds."""
        y = x * self.scale
        return y if self.shift is None else y + self.shift


class Sum(nn.Module):
    """The sum of several values."""

    def forward(self, *values: Tensor) -> Tensor:
        """Adds."""
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total


class Concatenation(nn.Module):
    """Several values one behind another, along their channels, of samples with so many axes."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, *values: Tensor) -> Tensor:
        """Joins channels, behind the batch or behind time and batch."""
        return torch.cat(values, -self.axes)


@dataclass(eq=False)
class Part:
    """One call of a model, or its input."""

    name: str
    """The path of a module, or the name of a function, each once."""
    module: nn.Module | None
    """What is called with the sources, each ``[B, *]``; None for the input."""
    sources: list[Part] = field(default_factory=list)
    shape: Size = Size()
    """That of one sample of what it makes."""

    @property
    def kind(self) -> str:
        """What errors call it."""
        return type(self.module).__name__


class Model:
    """A model as calls in the order in which they run, the input first."""

    def __init__(self, parts: list[Part], output: Part) -> None:
        """Keeps what the output needs."""
        needed = {output}
        for part in reversed(parts):
            if part in needed:
                needed.update(part.sources)
        self.parts = [part for part in parts if part in needed]
        self.output = output

    def __iter__(self) -> Iterator[Part]:
        """The calls, without the input."""
        return (part for part in self.parts if part.module is not None)

    def uses(self) -> Counter[Part]:
        """How often each value is read, by calls and as the result."""
        return Counter([source for part in self.parts for source in part.sources] + [self.output])

    def rectifiers(self) -> list[Part]:
        """The calls that neurons will stand for."""
        return [part for part in self if is_rectifier(part.module)]

    def values(self, x: Tensor) -> dict[Part, Tensor]:
        """What every call makes of an input ``[B, *]``."""
        values: dict[Part, Tensor] = {}
        for part in self.parts:
            if part.module is None:
                values[part] = x
            else:
                values[part] = part.module(*(values[source] for source in part.sources))
        return values


def is_rectifier(module: nn.Module | None) -> bool:
    """Whether neurons stand for a module."""
    return isinstance(module, Rectifier | QCFS)
