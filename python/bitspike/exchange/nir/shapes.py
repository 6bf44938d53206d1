"""Shapes of what nodes of NIR take and make, one step without the batch."""

from __future__ import annotations

import math
from typing import Any

from torch import Size, Tensor

from .clock import Clock
from .errors import NIRError
from .layers import padding_of, whole
from .nodes import FIRING, INTEGRATORS
from .records import Record

LARGEST = 1 << 31
"""More values than this has no step."""


def own_shape(record: Record) -> Size | None:
    """The shape that the fields of a node fix, whatever comes in; None if they fix none."""
    fields = record.fields
    if record.kind in ("Input", "Output"):
        return None if fields.get("shape") is None else shape_of(fields["shape"])
    name = {"Scale": "scale", "Threshold": "threshold", "Delay": "delay"}.get(record.kind)
    if record.kind in (*INTEGRATORS, *FIRING):
        shapes = {x.shape for key, x in fields.items() if isinstance(x, Tensor) and x.dim()}
        if len({shape for shape in shapes if shape != (1,)}) > 1:
            raise NIRError(f"its fields have different shapes: {sorted(map(tuple, shapes))}")
        return max(shapes, key=math.prod, default=Size(()))
    if name is None:
        return None
    return _tensor(record, name).shape


def shape_of(value: Any) -> Size:
    """A field that is a shape.

    Raises:
        NIRError: if it is none.
    """
    count = value.numel() if isinstance(value, Tensor) else len(value)
    sizes = whole(value, count) if count else ()
    if any(size < 0 for size in sizes) or math.prod(sizes) > LARGEST:
        raise NIRError(f"{sizes} is no shape of a step")
    return Size(sizes)


def made_of(record: Record, shape: Size, clock: Clock) -> Size:
    """The shape of what a node makes of an input of this shape.

    Raises:
        NIRError: if it cannot take it.
    """
    kind = record.kind
    own = own_shape(record)
    if own is not None:
        if own not in ((), (1,), shape):
            raise NIRError(f"it takes {list(own)} and is given {list(shape)}")
        return shape
    if kind in ("Linear", "Affine"):
        return _of_linear(record, shape)
    if kind in ("Conv1d", "Conv2d"):
        return _of_conv(record, shape)
    if kind in ("AvgPool2d", "SumPool2d"):
        _expect(record, "kernel_size", "stride", "padding")
        if len(shape) != 3:
            raise NIRError(f"it takes [C, H, W] and is given {list(shape)}")
        kernel, stride, padding = (
            whole(record.fields[name], 2) for name in ("kernel_size", "stride", "padding")
        )
        if any(2 * pad > size for pad, size in zip(padding, kernel, strict=True)):
            raise NIRError(f"padding {padding} is more than half of the kernel {kernel}")
        windows = zip(shape[1:], kernel, stride, padding, strict=True)
        return Size((shape[0], *(_windows(*sizes) for sizes in windows)))
    if kind == "Flatten":
        return _of_flatten(record, shape)
    return shape


def _tensor(record: Record, name: str) -> Tensor:
    found = record.fields.get(name)
    if not isinstance(found, Tensor):
        raise NIRError(f"{record.kind} needs {name}, an array of numbers")
    if found.is_floating_point() and not bool(found.isfinite().all()):
        raise NIRError(f"{name} has numbers that are not finite")
    return found


def _expect(record: Record, *names: str) -> None:
    for name in names:
        if record.fields.get(name) is None:
            raise NIRError(f"{record.kind} has no field {name}")


def _of_linear(record: Record, shape: Size) -> Size:
    weight = _tensor(record, "weight")
    if weight.dim() != 2 or shape != (weight.shape[1],):
        raise NIRError(
            f"weight {list(weight.shape)} and an input {list(shape)}; weights [m, n] take [n]"
        )
    if record.kind == "Affine" and _tensor(record, "bias").shape != weight.shape[:1]:
        raise NIRError(f"bias has shape {list(record.fields['bias'].shape)}, not [m]")
    return weight.shape[:1]


def _of_conv(record: Record, shape: Size) -> Size:
    weight, bias = _tensor(record, "weight"), _tensor(record, "bias")
    axes = int(record.kind[4])
    _expect(record, "stride", "padding", "dilation", "groups")
    (groups,) = whole(record.fields["groups"], 1)
    fits = weight.dim() == axes + 2 and len(shape) == axes + 1 and groups > 0
    fits = fits and 0 not in weight.shape and shape[0] == weight.shape[1] * groups
    if not fits or weight.shape[0] % groups or bias.shape != weight.shape[:1]:
        raise NIRError(
            f"weight {list(weight.shape)}, bias {list(bias.shape)} and groups {groups} do not fit "
            f"each other, or an input {list(shape)}"
        )
    stride, dilation = (whole(record.fields[name], axes) for name in ("stride", "dilation"))
    padding = padding_of(record, axes)
    if isinstance(padding, str):
        if padding not in ("same", "valid") or (padding == "same" and set(stride) != {1}):
            raise NIRError(f"padding {padding!r} is unknown, or not for stride {stride}")
        if padding == "same":
            return Size((weight.shape[0], *shape[1:]))
        padding = (0,) * axes
    if min(dilation) < 1:
        raise NIRError(f"dilation must be positive, not {dilation}")
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    windows = zip(shape[1:], spans, stride, padding, strict=True)
    return Size((weight.shape[0], *(_windows(*sizes) for sizes in windows)))


def _windows(size: int, span: int, stride: int, padding: int) -> int:
    """How many windows lie in an axis."""
    if stride < 1 or span < 1 or padding < 0 or size + 2 * padding < span:
        raise NIRError(
            f"a window of {span} with stride {stride} and padding {padding} does not fit {size}"
        )
    found = (size + 2 * padding - span) // stride + 1
    if found > LARGEST:
        raise NIRError(f"padding {padding} makes too many windows")
    return found


def _of_flatten(record: Record, shape: Size) -> Size:
    declared = record.fields.get("input_type")
    if declared is not None and shape_of(declared) != shape:
        raise NIRError(f"it takes {list(shape_of(declared))} and is given {list(shape)}")
    _expect(record, "start_dim", "end_dim")
    start, end = (whole(record.fields[name], 1)[0] for name in ("start_dim", "end_dim"))
    axes = len(shape)
    if not axes or not -axes <= start < axes or not -axes <= end < axes:
        raise NIRError(f"axes {start} to {end} are not those of {list(shape)}")
    start, end = start % axes, end % axes
    if start > end:
        raise NIRError(f"it flattens axes {start} to {end}")
    return Size((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))
