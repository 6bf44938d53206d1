"""Linear scans: allocation and the native calls.

A scan is ``y[t] = a[t]·y[t-1] + x[t]``. Its input ``x`` is ``[T, B, *features]`` or
``[T, *features]``, and so is ``y``. With a key, what is added is the outer product of ``x``
``[T, B, D]`` and the key ``[T, B, N]``, which is not stored, and ``y`` is ``[T, B, D, N]``.

The decay ``a`` is shaped like ``x`` (or like the key), or has fewer axes if it is the same at all
steps: then it broadcasts against one step.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Size, Tensor

from . import _native, buffer
from .call import Constant
from .route import routed
from .sequence import Geometry, like_constant


def output_shape(x: Tensor, key: Tensor | None) -> Size:
    """The shape of ``y``."""
    return x.shape if key is None else Size((*x.shape, key.shape[2]))


class ScanArguments(NamedTuple):
    """A scan as the native module takes it, which knows these by their order."""

    shape: tuple[int, int, int]
    """Steps, samples and neurons."""
    group: int
    """How many rows of a sample share a decay."""
    batched: bool
    """Whether there is an axis of samples."""
    varies: bool
    """Whether the decay differs from step to step."""
    rectified: bool
    decay: Constant
    x: Tensor | None
    key: Tensor | None
    initial: Tensor | None


class _Scan:
    """A scan as the native module takes it."""

    def __init__(
        self,
        shape: Size,
        x: Tensor | None,
        decay: Tensor,
        key: Tensor | None,
        initial: Tensor | None,
        rectified: bool,
    ) -> None:
        # The rows of an outer product share a decay as the neurons of a sample do.
        self.geometry = geometry = Geometry(shape if key is None else key.shape, True, [])
        self.varies = decay.dim() > len(geometry.step)
        self.decay: Constant = decay.contiguous() if self.varies else geometry.spread(decay)
        self.arguments = ScanArguments(
            shape=(geometry.steps, geometry.samples, geometry.neurons),
            group=1 if key is None else shape[2],
            batched=geometry.batched,
            varies=self.varies,
            rectified=rectified,
            decay=self.decay,
            x=x,
            key=key,
            initial=initial,
        )


@routed(0)
def forward(
    x: Tensor, decay: Tensor, key: Tensor | None, initial: Tensor | None, rectified: bool
) -> Tensor:
    """Runs a scan.

    Args:
        x: The input, or with a key its first factor; all tensors are float32.
        decay: Per step, or the same at all steps.
        key: The other factor of the input.
        initial: ``y[-1]``, shaped like one step of the outputs; None is 0.
        rectified: Whether each step is followed by ``max(0, ·)``.

    Returns:
        The outputs of all steps.
    """
    shape = output_shape(x, key)
    out = buffer.empty(shape)
    if out.numel():
        scan = _Scan(shape, x, decay=decay, key=key, initial=initial, rectified=rectified)
        _native.scan_forward(scan.arguments, out)
    return out


@routed(0)
def backward(
    outputs: Tensor,
    x: Tensor | None,
    decay: Tensor,
    key: Tensor | None,
    initial: Tensor | None,
    rectified: bool,
    need: list[bool],
    grad: Tensor,
) -> list[Tensor | None]:
    """Sends gradients back through a scan.

    Args:
        outputs: What :func:`forward` returned.
        x: As in :func:`forward`, like the arguments that follow; not needed without a key.
        decay: Per step, or the same at all steps.
        key: The other factor of the input.
        initial: ``y[-1]``.
        rectified: Whether each step is followed by ``max(0, ·)``.
        need: Whether the gradients of input, decay, key and initial value are wanted.
        grad: Gradient of the outputs, float32, any strides.

    Returns:
        Those gradients; None for one that is not wanted, of which the operator makes an empty
        tensor.
    """
    shapes = gradient_shapes(outputs, decay, key, need)
    if not outputs.numel():
        return [buffer.empty(shape).zero_() for shape in shapes]
    scan = _Scan(outputs.shape, x, decay=decay, key=key, initial=initial, rectified=rectified)
    to_input, _, to_key, to_initial = (
        buffer.empty(shape) if wanted else None for shape, wanted in zip(shapes, need, strict=True)
    )
    to_decay = like_constant(scan.decay) if need[1] else None
    _native.scan_backward(
        scan.arguments,
        outputs,
        grad=grad,
        input=to_input,
        key=to_key,
        decay=to_decay,
        initial=to_initial,
    )
    if to_decay is not None and not scan.varies:
        to_decay = scan.geometry.gather(to_decay, decay)
    return [to_input, to_decay, to_key, to_initial]


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
