"""Rules for convolutions: that of ``nn.Linear`` at every place of the kernel."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv1d_weight, conv2d_weight

from .traces import Scale, Trace, both_sides, check_shape, linear, weight_itself

Convolution = nn.Conv1d | nn.Conv2d


def stdp_conv1d_single_step(
    conv: nn.Conv1d,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Trace,
    trace_post: Trace,
    tau_pre: float,
    tau_post: float,
    f_pre: Scale = weight_itself,
    f_post: Scale = weight_itself,
) -> tuple[Tensor, Tensor, Tensor]:
    """`stdp_conv2d_single_step` in one dimension.

    Source: snnTorch 1.0.

    Args:
        conv: The synapses; their weight is read and not written. Any stride and padding.
        in_spike: Spikes that come in.
        out_spike: Spikes of the neurons behind.
        trace_pre: Trace of the padded input before the step; None before the first.
        trace_post: Trace of the outputs, likewise.
        tau_pre: Time constant of the former in steps.
        tau_post: That of the latter.
        f_pre: By how much a weight falls; it is given the whole kernel.
        f_post: By how much it rises.

    Shapes:
        ``in_spike`` ``[B, C, L]``, ``trace_pre`` the same after padding, ``out_spike`` and
        ``trace_post`` as the output of ``conv``, ``ΔW`` as its weight.

    Returns:
        Both traces after the step, and ``ΔW``.

    Raises:
        NotImplementedError: for dilation and groups.
        ValueError: for other shapes of spikes, and a time constant that is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike.functional import stdp_learner
        >>> conv, ones = nn.Conv1d(1, 1, 2), torch.ones(1, 1, 4)
        >>> stdp_learner.stdp_conv1d_single_step(
        ...     conv, ones, ones[..., :3], None, None, 2.0, 2.0, lambda w: 1.0, lambda w: 2.0
        ... )[2]
        tensor([[[3., 3.]]])
    """
    return _step(
        conv,
        conv1d_weight,
        in_spike=in_spike,
        out_spike=out_spike,
        trace_pre=trace_pre,
        trace_post=trace_post,
        tau_pre=tau_pre,
        tau_post=tau_post,
        f_pre=f_pre,
        f_post=f_post,
    )


def stdp_conv2d_single_step(
    conv: nn.Conv2d,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Trace,
    trace_post: Trace,
    tau_pre: float,
    tau_post: float,
    f_pre: Scale = weight_itself,
    f_post: Scale = weight_itself,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""One step of spike-timing-dependent plasticity of a convolution.

    .. math::
        x &← x - x / τ_{pre} + s_{in}, \qquad y ← y - y / τ_{post} + s_{out} \\
        ΔW_k &= f_{post}(W_k) \sum_{b,p} s_{out}[p] ⊗ x[p·stride + k]
              - f_{pre}(W_k) \sum_{b,p} y[p] ⊗ s_{in}[p·stride + k]

    with place ``k`` of the kernel, position ``p`` of the output, and ``s_in`` and ``x`` after
    padding. These sums are the weight gradients of a convolution, and computed as such.

    Source: snnTorch 1.0; the traces are those of Morrison, Diesmann & Gerstner 2008.

    Args:
        conv: The synapses; their weight is read and not written. Any stride and padding.
        in_spike: Spikes that come in, before padding.
        out_spike: Spikes of the neurons behind, ``s_out``.
        trace_pre: ``x`` before the step; None before the first.
        trace_post: ``y``, likewise.
        tau_pre: Time constant of ``x`` in steps.
        tau_post: That of ``y``.
        f_pre: By how much a weight falls; it is given the whole kernel. The default makes it
            proportional to the weight.
        f_post: By how much it rises.

    Shapes:
        ``in_spike`` ``[B, C, H, W]``, ``trace_pre`` the same after padding, ``out_spike`` and
        ``trace_post`` as the output of ``conv``, ``ΔW`` as its weight.

    Returns:
        Both traces after the step, and ``ΔW``.

    Raises:
        NotImplementedError: for dilation and groups.
        ValueError: for other shapes of spikes, and a time constant that is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike.functional import stdp_learner
        >>> conv, ones = nn.Conv2d(1, 1, 2), torch.ones(1, 1, 4, 4)
        >>> stdp_learner.stdp_conv2d_single_step(
        ...     conv, ones, ones[..., :3, :3], None, None, 2.0, 2.0, lambda w: 1.0, lambda w: 2.0
        ... )[2]
        tensor([[[[9., 9.],
                  [9., 9.]]]])
    """
    return _step(
        conv,
        conv2d_weight,
        in_spike=in_spike,
        out_spike=out_spike,
        trace_pre=trace_pre,
        trace_post=trace_post,
        tau_pre=tau_pre,
        tau_post=tau_post,
        f_pre=f_pre,
        f_post=f_post,
    )


def _step(
    conv: Convolution,
    correlate: Callable[..., Tensor],
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Trace,
    trace_post: Trace,
    tau_pre: float,
    tau_post: float,
    f_pre: Scale,
    f_post: Scale,
) -> tuple[Tensor, Tensor, Tensor]:
    for name in ("dilation", "groups"):
        value = getattr(conv, name)
        if any(n != 1 for n in (value if isinstance(value, tuple) else (value,))):
            raise NotImplementedError(f"STDP of a convolution with {name}={value}")
    in_spike, out_spike = both_sides(conv, in_spike, out_spike)
    weight = conv.weight.detach()
    padded = _padded(conv, in_spike)
    places = [
        (size - extent) // stride + 1
        for size, extent, stride in zip(
            padded.shape[2:], weight.shape[2:], conv.stride, strict=True
        )
    ]
    check_shape(out_spike, (in_spike.shape[0], conv.out_channels, *places), "out_spike")
    trace_pre = linear(trace_pre, padded, tau_pre, "pre")
    trace_post = linear(trace_post, out_spike, tau_post, "post")
    falls = f_pre(weight) * correlate(padded, weight.shape, trace_post, conv.stride)
    rises = f_post(weight) * correlate(trace_pre, weight.shape, out_spike, conv.stride)
    return trace_pre, trace_post, rises - falls


def _padded(conv: Convolution, in_spike: Tensor) -> Tensor:
    """The input as the kernel meets it."""
    rank = conv.weight.dim()
    if in_spike.dim() != rank or in_spike.shape[1] != conv.in_channels:
        raise ValueError(
            f"in_spike must be [B, {conv.in_channels}, {', '.join('*' * (rank - 2))}] for this "
            f"convolution, not {list(in_spike.shape)}"
        )
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    # Also right for padding="same", where the two ends may differ.
    return F.pad(in_spike, conv._reversed_padding_repeated_twice, mode=mode)
