"""Linear scans as operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import scan

from ._operator import Shapes, operator


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, decay, key, initial, ctx.rectified = inputs
    ctx.need = [True, True, key is not None, initial is not None]
    ctx.save_for_backward(output, None if key is None else x, decay, key, initial)


def _gradient(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    grads = torch.ops.bitspike.scan_backward(*ctx.saved_tensors, ctx.rectified, ctx.need, grad)
    return (*(x if needed else None for x, needed in zip(grads, ctx.need, strict=True)), None)


def _backward_fake(
    outputs: Tensor,
    x: Tensor | None,
    decay: Tensor,
    key: Tensor | None,
    initial: Tensor | None,
    rectified: bool,
    need: list[bool],
    grad: Tensor,
) -> list[Tensor]:
    return [outputs.new_empty(shape) for shape in scan.gradient_shapes(outputs, decay, key, need)]


def _forward_shapes(
    x: Tensor, decay: Tensor, key: Tensor | None, initial: Tensor | None, rectified: bool
) -> Shapes:
    decayed = x if key is None else key
    if key is not None:
        yield "key", key, (*x.shape[:2], key.shape[-1] if key.dim() else 0)
        yield "x", x, (*key.shape[:2], x.shape[-1] if x.dim() else 0)
    if decay.dim() >= decayed.dim():
        yield "decay", decay, decayed.shape
    yield "initial", initial, scan.output_shape(x, key)[1:]


def _backward_shapes(
    outputs: Tensor,
    x: Tensor | None,
    decay: Tensor,
    key: Tensor | None,
    initial: Tensor | None,
    rectified: bool,
    need: list[bool],
    grad: Tensor,
) -> Shapes:
    yield "grad", grad, outputs.shape
    if key is None:
        yield from _forward_shapes(outputs, decay, None, initial, rectified)
    else:
        if x is None:
            raise ValueError("x must be given beside a key, not None")
        yield "outputs", outputs, (*x.shape, key.shape[-1])
        yield from _forward_shapes(x, decay, key, initial, rectified)


operator(
    "scan_forward(Tensor x, Tensor decay, Tensor? key, Tensor? initial, bool rectified) -> Tensor",
    scan.forward.kernel,
    lambda x, decay, key, initial, rectified: x.new_empty(scan.output_shape(x, key)),
    _forward_shapes,
    (_save, _gradient),
)
operator(
    "scan_backward(Tensor outputs, Tensor? x, Tensor decay, Tensor? key, Tensor? initial, "
    "bool rectified, bool[] need, Tensor grad) -> Tensor[]",
    scan.backward.kernel,
    _backward_fake,
    _backward_shapes,
)
