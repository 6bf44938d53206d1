"""Events as their users have them: recordings, structured arrays, four columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.ops.buffer import CPU
from bitspike.ops.events import Columns, Report

LIMIT = 1 << 15
"""One more than the largest column or row of any sensor."""
_NAMES = {
    "t": ("t", "ts", "timestamp"),
    "x": ("x",),
    "y": ("y",),
    "p": ("p", "on", "polarity"),
}
"""What other libraries call the fields of their arrays."""


@dataclass(frozen=True)
class Recording:
    """Events of a file, in its order, and what the file says of itself.

    Attributes:
        t: Times in microseconds, int64 ``[events]``.
        x: Columns of pixels, int16 ``[events]``.
        y: Rows of pixels, int16 ``[events]``.
        p: Polarities, bool ``[events]``: whether a pixel became brighter.
        format: The format of the file.
        size: Width and height of the sensor, if the file says so.
        start: When the recording began, as the file has it.
        report: What was found in the file.
    """

    t: Tensor
    x: Tensor
    y: Tensor
    p: Tensor
    format: str
    size: tuple[int, int] | None
    start: str | None
    report: Report

    def __len__(self) -> int:
        """How many events there are."""
        return len(self.t)

    @staticmethod
    def joined(parts: Sequence[Recording]) -> Recording:
        """The events of all parts of a file, with what the last of them knows."""
        t, x, y, p = zip(*(part.columns for part in parts), strict=True)
        columns = Columns(torch.cat(t), torch.cat(x), torch.cat(y), torch.cat(p))
        return parts[-1].with_columns(columns)

    def with_columns(self, columns: Columns) -> Recording:
        """The same with other events."""
        return replace(self, **columns._asdict())

    @property
    def columns(self) -> Columns:
        """The four columns."""
        return Columns(self.t, self.x, self.y, self.p)


def columns_of(
    t: Any, x: Any = None, y: Any = None, p: Any = None, *, limits: tuple[int, int] = (LIMIT, LIMIT)
) -> Columns:
    """Events as the native module takes them.

    Args:
        t: A `Recording`; a structured array with fields ``t``, ``x``, ``y`` and ``p``; or times.
        x: Columns of pixels, if ``t`` is times.
        y: Rows of pixels; None for a sensor of one row.
        p: Polarities; None if all events are ON.
        limits: One more than the largest column and row.

    Raises:
        TypeError: for what cannot become a tensor.
        ValueError: for other numbers than whole ones, columns of different lengths, a pixel outside
            the limits, or a polarity that is none.
    """
    if isinstance(t, Recording | Columns):
        t, x, y, p = t.t, t.x, t.y, t.p
    elif getattr(getattr(t, "dtype", None), "names", None):
        t, x, y, p = (_field(t, names) for names in _NAMES.values())
    times = _integers(t, "t").to(torch.int64)
    if x is None:
        raise ValueError("x must be given, unless t is a recording or a structured array")
    zeros = torch.zeros(1, dtype=torch.int16, device=CPU).expand(len(times))
    columns = Columns(
        times,
        _coordinate(x, "x", limits[0]),
        zeros if y is None else _coordinate(y, "y", limits[1]),
        zeros == 0 if p is None else _polarity(p),
    )
    for name, column in columns._asdict().items():
        if len(column) != len(times):
            raise ValueError(f"{name} has {len(column)} events, but t has {len(times)}")
    return columns


def _field(array: Any, names: tuple[str, ...]) -> Any:
    """The field of a structured array, as a copy that torch can hold; None if it lacks it."""
    fields = array.dtype.fields  # with the titles by which some libraries call them, too
    for name in names:
        if name in fields:
            return array[name].astype("int64")
    return None


def _integers(column: Any, name: str) -> Tensor:
    """An argument as a tensor of integers or bools on the CPU, of one axis."""
    x = with_values(as_tensor(column, name), name)
    x = with_values(x.detach().to(CPU), name)  # a fake one, where all tensors are
    if x.dim() != 1:
        raise ValueError(f"{name} must have one axis, not shape {tuple(x.shape)}")
    if not x.is_floating_point():
        return x
    whole = x.to(torch.int64)
    if not torch.equal(whole.to(x.dtype), x):
        raise ValueError(f"{name} must be whole numbers, but is of {x.dtype} with others")
    return whole


def _coordinate(column: Any, name: str, limit: int) -> Tensor:
    x = _integers(column, name)
    if x.numel():
        least, most = (int(found) for found in x.aminmax())
        if least < 0 or most >= limit:
            wrong = least if least < 0 else most
            raise ValueError(f"{name} of an event is {wrong}, outside 0..{limit}")
    return x.to(torch.int16)


def _polarity(column: Any) -> Tensor:
    p = _integers(column, "p")
    if p.dtype is not torch.bool and p.numel():
        least, most = (int(found) for found in p.aminmax())
        if least < -1 or most > 1:
            raise ValueError(f"p must be True and False, 1 and 0, or 1 and -1, not {least}..{most}")
    return p > 0
