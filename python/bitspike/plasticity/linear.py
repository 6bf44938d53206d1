"""Rules for ``nn.Linear``."""

from __future__ import annotations

from torch import Tensor, nn

from .traces import (
    Scale,
    Trace,
    both_sides,
    check_shape,
    exponential,
    linear,
    positive,
    weight_itself,
)


def stdp_linear_single_step(
    fc: nn.Linear,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Trace,
    trace_post: Trace,
    tau_pre: float,
    tau_post: float,
    f_pre: Scale = weight_itself,
    f_post: Scale = weight_itself,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""One step of spike-timing-dependent plasticity.

    .. math::
        x &← x - x / τ_{pre} + s_{in}, \qquad y ← y - y / τ_{post} + s_{out} \\
        ΔW &= f_{post}(W) \sum_b s_{out} ⊗ x - f_{pre}(W) \sum_b y ⊗ s_{in}

    A spike of the output strengthens the synapses of inputs that fired before, one of an input
    weakens that synapse if the output fired before. Both traces are updated first, so spikes of the
    same step count on both sides. Sums over the batch are products with spikes: packed ones, and no
    intermediate ``[B, out, in]``.

    Source: snnTorch 1.0; the traces are those of Morrison, Diesmann & Gerstner 2008.

    Args:
        fc: The synapses; their weight is read and not written.
        in_spike: Spikes that come in, ``s_in``.
        out_spike: Spikes of the neurons behind, ``s_out``.
        trace_pre: ``x`` before the step; None or 0 before the first.
        trace_post: ``y``, likewise.
        tau_pre: Its time constant in steps.
        tau_post: That of ``y``.
        f_pre: By how much a weight falls; the default makes it proportional to the weight, and
            ``lambda w: 0.01`` the same for all.
        f_post: By how much it rises.

    Shapes:
        ``in_spike`` and ``trace_pre`` ``[B, in]``, ``out_spike`` and ``trace_post`` ``[B, out]``,
        ``ΔW`` ``[out, in]``.

    Returns:
        Both traces after the step, and ``ΔW``.

    Raises:
        ValueError: for other shapes of spikes, and a time constant that is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike.functional import stdp_learner
        >>> fc, fires, silent = nn.Linear(1, 1), torch.ones(1, 1), torch.zeros(1, 1)
        >>> def step(*spikes_and_traces):
        ...     return stdp_learner.stdp_linear_single_step(
        ...         fc, *spikes_and_traces, 2.0, 2.0, lambda w: 1.0, lambda w: 1.0
        ...     )
        >>> x, y, _ = step(fires, silent, None, None)
        >>> step(silent, fires, x, y)[2]
        tensor([[0.5000]])
    """
    in_spike, out_spike = both_sides(fc, in_spike, out_spike)
    _check(fc, in_spike, out_spike)
    weight = fc.weight.detach()
    trace_pre = linear(trace_pre, in_spike, tau_pre, "pre")
    trace_post = linear(trace_post, out_spike, tau_post, "post")
    falls = f_pre(weight) * (trace_post.t() @ in_spike)
    rises = f_post(weight) * (out_spike.t() @ trace_pre)
    return trace_pre, trace_post, rises - falls


def mstdp_linear_single_step(
    fc: nn.Linear,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Trace,
    trace_post: Trace,
    tau_pre: float,
    tau_post: float,
    f_pre: Scale = weight_itself,
    f_post: Scale = weight_itself,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""One step of reward-modulated plasticity: what a reward would change, sample by sample.

    .. math::
        x &← x e^{-1/τ_{pre}} + s_{in}, \qquad y ← y e^{-1/τ_{post}} + s_{out} \\
        z_b &= f_{post}(W)\, s_{out} ⊗ x - f_{pre}(W)\, y ⊗ s_{in}

    The change of the weights is reward times ``z``, which is left to the caller.

    Source: snnTorch 1.0; Florian 2007, Neural Computation 19(6).

    Args:
        fc: The synapses; their weight is read and not written.
        in_spike: Spikes that come in, ``s_in``.
        out_spike: Spikes of the neurons behind, ``s_out``.
        trace_pre: ``x`` before the step; None or 0 before the first.
        trace_post: ``y``, likewise.
        tau_pre: Its time constant in steps.
        tau_post: That of ``y``.
        f_pre: By how much a weight falls; the default makes it proportional to the weight.
        f_post: By how much it rises.

    Shapes:
        ``in_spike`` and ``trace_pre`` ``[B, in]``, ``out_spike`` and ``trace_post`` ``[B, out]``,
        the eligibility ``z`` ``[B, out, in]``.

    Returns:
        Both traces after the step, and the eligibility.

    Raises:
        ValueError: for other shapes of spikes, and a time constant that is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike.functional import stdp_learner
        >>> fc, fires, silent = nn.Linear(1, 1), torch.ones(1, 1), torch.zeros(1, 1)
        >>> def step(*spikes_and_traces):
        ...     return stdp_learner.mstdp_linear_single_step(
        ...         fc, *spikes_and_traces, 2.0, 2.0, lambda w: 1.0, lambda w: 1.0
        ...     )
        >>> x, y, _ = step(fires, silent, None, None)
        >>> step(silent, fires, x, y)[2]
        tensor([[[0.6065]]])
    """
    in_spike, out_spike = both_sides(fc, in_spike, out_spike)
    _check(fc, in_spike, out_spike)
    weight = fc.weight.detach()
    trace_pre = exponential(trace_pre, in_spike, tau_pre, "pre")
    trace_post = exponential(trace_post, out_spike, tau_post, "post")
    rises = f_post(weight) * (trace_pre.unsqueeze(1) * out_spike.unsqueeze(2))
    falls = f_pre(weight) * (trace_post.unsqueeze(2) * in_spike.unsqueeze(1))
    return trace_pre, trace_post, rises - falls


def mstdpet_linear_single_step(
    fc: nn.Linear,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Trace,
    trace_post: Trace,
    tau_pre: float,
    tau_post: float,
    tau_trace: float,
    f_pre: Scale = weight_itself,
    f_post: Scale = weight_itself,
) -> tuple[Tensor, Tensor, Tensor]:
    """`mstdp_linear_single_step` of one sample without a batch axis.

    As in snnTorch, ``tau_trace`` has no effect here: what decays with it is the sum of the
    eligibilities of all steps, which `STDPLearner` keeps if it is given one.

    Source: snnTorch 1.0; Florian 2007, Neural Computation 19(6).

    Args:
        fc: The synapses; their weight is read and not written.
        in_spike: Spikes that come in.
        out_spike: Spikes of the neurons behind.
        trace_pre: Trace of the inputs before the step; None or 0 before the first.
        trace_post: Trace of the outputs, likewise.
        tau_pre: Time constant of the former in steps.
        tau_post: That of the latter.
        tau_trace: That of the sum of eligibilities.
        f_pre: By how much a weight falls; the default makes it proportional to the weight.
        f_post: By how much it rises.

    Shapes:
        ``in_spike`` and ``trace_pre`` ``[in]``, ``out_spike`` and ``trace_post`` ``[out]``, the
        eligibility ``[out, in]``.

    Returns:
        Both traces after the step, and the eligibility.

    Raises:
        ValueError: for other shapes of spikes, and a time constant that is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike.functional import stdp_learner
        >>> x, y, eligibility = stdp_learner.mstdpet_linear_single_step(
        ...     nn.Linear(3, 2), torch.ones(3), torch.ones(2), None, None, 2.0, 2.0, 10.0
        ... )
        >>> eligibility
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    in_spike, out_spike = both_sides(fc, in_spike, out_spike)
    check_shape(in_spike, (fc.in_features,), "in_spike")
    check_shape(out_spike, (fc.out_features,), "out_spike")
    positive(tau_trace, "tau_trace")
    x, y, eligibility = mstdp_linear_single_step(
        fc,
        in_spike.unsqueeze(0),
        out_spike=out_spike.unsqueeze(0),
        trace_pre=trace_pre,
        trace_post=trace_post,
        tau_pre=tau_pre,
        tau_post=tau_post,
        f_pre=f_pre,
        f_post=f_post,
    )
    return x.squeeze(0), y.squeeze(0), eligibility.squeeze(0)


def _check(fc: nn.Linear, in_spike: Tensor, out_spike: Tensor) -> None:
    batch = in_spike.shape[0] if in_spike.dim() else 1
    check_shape(in_spike, (batch, fc.in_features), "in_spike")
    check_shape(out_spike, (batch, fc.out_features), "out_spike")


def check_steps(fc: nn.Linear, in_spikes: Tensor, out_spikes: Tensor) -> None:
    """Compares the shapes of sequences with what the synapse takes or gives.

    Raises:
        ValueError: if they differ.
    """
    _check(fc, in_spikes[0], out_spikes[0])
