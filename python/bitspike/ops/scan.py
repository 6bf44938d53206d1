"""Linear scans: allocation and the native calls.

A scan is ``y[t] = a[t]·y[t-1] + x[t]``. Its input ``x`` is ``[T, B, *features]`` or
``[T, *features]``, and so is ``y``. With a key, what is added is the outer product of ``x``
``[T, B, D]`` and the key ``[T, B, N]``, which is not stored, and ``y`` is ``[T, B, D, N]``.

The decay ``a`` is shaped like ``x`` (or like the key), or has fewer axes if it is the same at all
steps: then it broadcasts against one step.
"""

from __future__ import annotations

import torch
from torch import Size, Tensor

from bitspike import _native

from . import _buffer
from .sequence import Geometry

_ZERO = torch.zeros(())


def output_shape(x: Tensor, key: Tensor | None) -> Size:
    """The shape of ``y``."""
    return x.shape if key is None else Size((*x.shape, key.shape[2]))


class _Scan:
    """A scan as the native module takes it, with the tensors that hold its memory."""

    def __init__(
        self,
        shape: Size,
        x: Tensor | None,
        decay: Tensor,
        key: Tensor | None,
        initial: Tensor | None,
        rectified: bool,
    ) -> None:
        self.outer = key is not None
        # The rows of an outer product share a decay as the neurons of a sample do.
        self.geometry = geometry = Geometry(shape if key is None else key.shape, True, [])
        self.group = shape[2] if self.outer else 1
        self.rows = geometry.samples * self.group
        self.varies = decay.dim() > len(geometry.step)
        self.decay = decay.contiguous() if self.varies else geometry.spread(decay)
        self.held: list[Tensor] = []
        if x is None:
            input_ = _buffer.constant_view(_ZERO)
        elif self.outer:
            input_ = _buffer.column_view(self._hold(x.contiguous()), self.rows)
        else:
            input_ = self.view(x)
        if initial is None:
            first = _buffer.constant_view(_ZERO)
        else:
            first = _buffer.row_view(self._hold(initial.contiguous()), geometry.neurons)
        self.arguments = (
            (geometry.steps, self.rows, geometry.neurons),
            self.group,
            rectified,
            self._decay(),
            input_,
            None if key is None else self._sequence(key),
            first,
        )

    def _hold(self, x: Tensor) -> Tensor:
        self.held.append(x)
        return x

    def _decay(self) -> _buffer.View:
        if self.varies:
            return self._sequence(self.decay)
        if self.decay.numel() == 1:
            return _buffer.constant_view(self.decay)
        return _buffer.row_view(self.decay, self.geometry.neurons)

    def _sequence(self, x: Tensor) -> _buffer.View:
        x, view = _buffer.strided_view(x, self.geometry.batched)
        self._hold(x)
        return view

    def view(self, x: Tensor) -> _buffer.View:
        """A view of a tensor shaped like the outputs."""
        if not self.outer:
            return self._sequence(x)
        neurons = self.geometry.neurons
        return _buffer.contiguous_view(self._hold(x.contiguous()), self.rows * neurons, neurons)


def forward(
    x: Tensor, decay: Tensor, key: Tensor | None, initial: Tensor | None, rectified: bool
) -> Tensor:
    """Runs a scan.

    Args:
        x: The input, or its factor beside the key, float32, and so are the following.
        decay: Per step, or the same at all steps.
        key: The other factor of the input.
        initial: ``y[-1]``, shaped like one step of the outputs; None is 0.
        rectified: Whether each step is followed by ``max(0, ·)``.

    Returns:
        The outputs of all steps.
    """
    shape = output_shape(x, key)
    out = _buffer.empty(shape)
    if out.numel():
        scan = _Scan(shape, x, decay, key, initial, rectified)
        _native.scan_forward(scan.arguments, _buffer.buffer(out))
    return out


def backward(
    outputs: Tensor,
    x: Tensor | None,
    decay: Tensor,
    key: Tensor | None,
    initial: Tensor | None,
    rectified: bool,
    need: list[bool],
    grad: Tensor,
) -> list[Tensor]:
    """Sends gradients back through a scan.

    Args:
        outputs: What :func:`forward` returned.
        x: As in :func:`forward`, and so are the following; without a key it is not needed.
        decay: Per step, or the same at all steps.
        key: The other factor of the input.
        initial: ``y[-1]``.
        rectified: Whether each step is followed by ``max(0, ·)``.
        need: Whether the gradients of input, decay, key and initial value are wanted.
        grad: Gradient of the outputs, float32, any strides.

    Returns:
        Those gradients; an empty tensor stands for one that is not wanted.
    """
    if not outputs.numel():
        return [torch.zeros(shape) for shape in gradient_shapes(outputs, decay, key, need)]
    scan = _Scan(outputs.shape, x, decay, key, initial, rectified)
    outputs = outputs.contiguous()
    shapes = gradient_shapes(outputs, scan.decay, key, need)
    to = [_buffer.empty(shape) for shape in shapes]
    _native.scan_backward(
        scan.arguments,
        _buffer.buffer(outputs),
        scan.view(grad),
        _buffer.buffer(to[0]) if need[0] else None,
        _buffer.buffer(to[2]) if need[2] else None,
        _buffer.buffer(to[1]) if need[1] else None,
        _buffer.buffer(to[3]) if need[3] else None,
    )
    if need[1] and not scan.varies:
        to = [to[0], scan.geometry.gather(to[1], decay), *to[2:]]
    return to


def gradient_shapes(
    outputs: Tensor, decay: Tensor, key: Tensor | None, need: list[bool]
) -> list[Size]:
    """The shapes of what :func:`backward` returns."""
    shapes = [
        outputs.shape if key is None else outputs.shape[:3],
        decay.shape,
        Size((0,)) if key is None else key.shape,
        outputs.shape[1:],
    ]
    return [shape if wanted else Size((0,)) for shape, wanted in zip(shapes, need, strict=True)]
