"""Linear scans over time: recurrences without firing and reset, on which several neurons rest."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from bitspike import derivable
from bitspike.arguments import as_tensor, expect_one_device
from bitspike.ops import route
from bitspike.ops import scan as ops
from bitspike.ops.route import gradient_needs_torch, is_traced
from bitspike.reference_path import leave_kernels
from bitspike.spikes.dense import DenseSpikes
from bitspike.spikes.tensor import SpikeTensor
from bitspike.spikes.upstream import plain_gradient


def linear_scan(
    x: Tensor, decay: Tensor, initial: Tensor | None = None, *, rectified: bool = False
) -> Tensor:
    r"""The recurrence of a leaky integrator, over a whole sequence in ``O(T)``.

    .. math::
        y[t] = a[t]·y[t-1] + x[t], \qquad\text{or rectified}\qquad
        y[t] = \max(0, a[t]·y[t-1] + x[t])

    Args:
        x: ``[T, *]``
        decay: ``a``. With as many axes as ``x`` it has a value for each step and broadcasts
            against ``x``; with fewer it is the same at all steps and broadcasts against one.
        initial: ``y[-1]``, which broadcasts against one step; by default 0.
        rectified: Whether each step is followed by ``max(0, ·)``.

    Returns:
        ``y``, ``[T, *]``, in the dtype of ``x``; float32 if that is bfloat16 or float16.

    Raises:
        ValueError: if ``x`` has no time axis, or ``decay`` or ``initial`` does not broadcast.

    Example:
        >>> import torch
        >>> from bitspike.scan import linear_scan
        >>> linear_scan(torch.tensor([1.0, 0.0, -2.0]), torch.tensor(0.5))
        tensor([ 1.0000,  0.5000, -1.7500])
        >>> linear_scan(torch.tensor([1.0, 0.0, -2.0]), torch.tensor(0.5), rectified=True)
        tensor([1.0000, 0.5000, 0.0000])
    """
    x, decay = as_tensor(x, "x"), as_tensor(decay, "decay")
    if x.dim() == 0:
        raise ValueError("x must be a sequence [T, *], not a number")
    if decay.dim() == x.dim():
        decay = _expand("decay", decay, x.shape)
    else:
        _expand("decay", decay, x.shape[1:])
    if initial is not None:
        initial = _expand("initial", as_tensor(initial, "initial"), x.shape[1:])
    return _scan(x, decay, None, initial, rectified)


def reverse_scan(x: Tensor, decay: Tensor) -> Tensor:
    r"""The recurrence of `linear_scan` backwards in time, without gradient: that of its input.

    .. math::
        y[t] = a·y[t+1] + x[t], \qquad y[T] = 0

    Args:
        x: ``[T, *]``
        decay: ``a``, which broadcasts against one step.

    Returns:
        ``y``, ``[T, *]``, in the dtype of ``x``; float32 if that is bfloat16 or float16.

    Raises:
        ValueError: if ``x`` has no time axis, or ``decay`` does not broadcast.

    Example:
        >>> import torch
        >>> from bitspike.scan import reverse_scan
        >>> reverse_scan(torch.tensor([1.0, 0.0, -2.0]), torch.tensor(0.5))
        tensor([ 0.5000, -1.0000, -2.0000])
    """
    x, decay = as_tensor(x, "x").detach(), as_tensor(decay, "decay").detach()
    if x.dim() == 0:
        raise ValueError("x must be a sequence [T, *], not a number")
    _expand("decay", decay, x.shape[1:])
    if route.refusal(x, [decay]) is not None:
        return linear_scan(x.flip(0), decay).flip(0)
    x = x.float()
    # Outputs are not looked at for this gradient; neither key nor initial value, not rectified.
    scan = (x, None, decay.float(), None, None, False)
    (y, *_) = ops.backward(*scan, [True, False, False, False], x)
    return cast("Tensor", y)


def outer_scan(value: Tensor, key: Tensor, decay: Tensor) -> Tensor:
    r"""A memory of associations: a scan of matrices that adds an outer product per step.

    .. math::
        M[t] = M[t-1]·\mathrm{diag}(a[t]) + v[t]·k[t]^T, \qquad M[-1] = 0

    Args:
        value: ``v``, ``[T, B, D]``.
        key: ``k``, ``[T, B, N]``.
        decay: ``a``, ``[T, B, N]``.

    Returns:
        ``M``, ``[T, B, D, N]``, in the dtype of ``value``; float32 if that is bfloat16 or float16.

    Raises:
        ValueError: for other shapes.

    Example:
        >>> import torch
        >>> from bitspike.scan import outer_scan
        >>> v, k = torch.tensor([[[1.0, 2.0]], [[0.0, 1.0]]]), torch.tensor([[[1.0]], [[4.0]]])
        >>> outer_scan(v, k, torch.full((2, 1, 1), 0.5)).flatten(1)
        tensor([[1.0000, 2.0000],
                [0.5000, 5.0000]])
    """
    value, key, decay = as_tensor(value, "value"), as_tensor(key, "key"), as_tensor(decay, "decay")
    if value.dim() != 3:
        raise ValueError(f"value must be [T, B, D], not {tuple(value.shape)}")
    for name, x in (("key", key), ("decay", decay)):
        if x.dim() != 3 or x.shape[:2] != value.shape[:2] or x.shape != key.shape:
            steps, samples, _ = value.shape
            raise ValueError(
                f"{name} must be [T, B, N] with T={steps} and B={samples} as in value, and the N "
                f"of key and decay the same, not {tuple(x.shape)}"
            )
    return _scan(value, decay, key, None, False)


def _expand(name: str, x: Tensor, shape: torch.Size) -> Tensor:
    try:
        return x.expand(shape)
    except RuntimeError:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, which does not broadcast against {tuple(shape)}"
        ) from None


def _scan(
    x: Tensor, decay: Tensor, key: Tensor | None, initial: Tensor | None, rectified: bool
) -> Tensor:
    if isinstance(x, SpikeTensor):
        # A multiplication unpacks so that autograd records it, which dense() does not.
        x = x * 1
    elif isinstance(x, DenseSpikes):
        x = x.as_subclass(Tensor)
    others = [t for t in (decay, key, initial) if t is not None]
    reason = route.refusal(x, others)
    if reason is not None:
        expect_one_device(x, "the input", (("decay", decay), ("key", key), ("initial", initial)))
        leave_kernels("linear_scan" if key is None else "outer_scan", reason, x, others)
        return _loop(x, decay, key, initial, rectified)
    out: Tensor = _Scan.apply(
        x.float(),
        decay.float(),
        None if key is None else key.float(),
        None if initial is None else initial.float(),
        rectified,
    )
    return out


def _loop(
    x: Tensor, decay: Tensor, key: Tensor | None, initial: Tensor | None, rectified: bool
) -> Tensor:
    """The specification, in torch."""
    if x.dtype in (torch.bfloat16, torch.float16):
        x = x.float()
    varies = decay.dim() == x.dim()
    if key is not None:
        x, decay = x.unsqueeze(3) * key.unsqueeze(2), decay.unsqueeze(2)
    if x.shape[0] == 0:
        return x * decay  # empty, and recorded by autograd
    y = torch.zeros_like(x[0]) if initial is None else initial
    outputs = []
    for t, current in enumerate(x.unbind(0)):
        y = (decay[t] if varies else decay) * y + current
        if rectified:
            y = y.relu()
        outputs.append(y)
    return torch.stack(outputs)


class _Scan(torch.autograd.Function):
    """The scan of `ops.forward`; it saves its outputs and, with a key, the factors of its input."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        decay: Tensor,
        key: Tensor | None,
        initial: Tensor | None,
        rectified: bool,
    ) -> Tensor:
        out = ops.forward(x, decay, key, initial, rectified)
        ctx.rectified = rectified
        ctx.save_for_backward(out, None if key is None else x, decay, key, initial)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        out, *inputs = ctx.saved_tensors
        need = [bool(needed) for needed in ctx.needs_input_grad[:4]]
        native: Any
        upstream: Tensor | None
        if not is_traced(out) and out.numel() and gradient_needs_torch([grad]):
            native, upstream = _gradients_in_torch, derivable.plain(grad)
        else:
            native, upstream = ops.backward, grad if is_traced(out) else plain_gradient(grad)
        grads = native(out, *inputs, ctx.rectified, need, upstream)
        pairs = zip(grads, need, strict=True)
        return (*(x if needed else None for x, needed in pairs), None)


def _gradients_in_torch(
    out: Tensor,
    x: Tensor | None,
    decay: Tensor,
    key: Tensor | None,
    initial: Tensor | None,
    rectified: bool,
    need: list[bool],
    grad: Tensor,
) -> list[Tensor | None]:
    """What `ops.backward` returns, which autograd may differentiate again."""
    outer = key is not None
    varies = decay.dim() == out.dim() - outer
    factor = decay.unsqueeze(2) if outer else decay
    to_sum = torch.zeros_like(out[0])
    sums: list[Tensor] = []
    for t in reversed(range(len(out))):
        if sums:
            to_sum = (factor[t + 1] if varies else factor) * to_sum
        to_sum = to_sum + grad[t]
        if rectified:
            to_sum = to_sum * (out[t] > 0)
        sums.append(to_sum)
    to_sums = torch.stack(sums[::-1])
    first = torch.zeros_like(out[0]) if initial is None else initial
    to_decay = to_sums * torch.cat([first.unsqueeze(0), out[:-1]])
    to_initial = (factor[0] if varies else factor) * to_sums[0]
    if key is None or x is None:
        return [to_sums, to_decay.sum_to_size(decay.shape), None, to_initial]
    to_x = (to_sums * key.unsqueeze(2)).sum(3)
    return [to_x, to_decay.sum(2), (to_sums * x.unsqueeze(3)).sum(2), to_initial]
