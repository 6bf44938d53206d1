"""Batch normalisation of currents that extend over time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, expect_one_device


class BatchNormTT(nn.ModuleList):
    """Batch normalisation through time (Kim & Panda 2020): a normalisation per step.

    What `BatchNormTT1d` and `BatchNormTT2d` make: a list of ``nn.BatchNorm1d`` or ``2d`` without
    bias. In a time loop index it, ``bntt[t](current)``; called with a whole sequence it does so for
    all steps. In `unroll` it sees the whole sequence.

    Example:
        >>> norms = snn.BatchNormTT2d(3, time_steps=5)
        >>> type(norms).__name__, len(norms)
        ('BatchNormTT', 5)
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalises step ``t`` of ``[T, B, C, *]`` by entry ``t``.

        Raises:
            ValueError: if there are more steps than entries.
        """
        x = as_tensor(x, "x")
        if x.dim() < 3 or x.shape[0] > len(self):
            raise ValueError(
                f"x must be [T, B, C, *] with T up to time_steps={len(self)}, not {tuple(x.shape)}"
            )
        if x.shape[0] == 0:
            return torch.zeros_like(x)
        try:
            return torch.stack([norm(step) for norm, step in zip(self, x.unbind(0), strict=False)])
        except RuntimeError:
            expect_one_device(x, "x", (*self.named_parameters(), *self.named_buffers()))
            raise

    def at(self, step: int, x: Tensor) -> Tensor:
        """Normalises one step by its entry; what a captured program calls."""
        result: Tensor = self[step](x)
        return result

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence, as in every call; `unroll` calls it."""
        return self.forward(x)


def BatchNormTT1d(
    input_features: int,
    time_steps: int,
    eps: float = 1e-5,
    momentum: float | None = 0.1,
    affine: bool = True,
) -> BatchNormTT:
    r"""Batch normalisation through time of ``[B, C]`` or ``[B, C, L]`` (Kim & Panda 2020).

    .. math::
        y[t] = γ[t]·\frac{x[t] - μ[t]}{\sqrt{σ²[t] + ε}}

    with the mean and variance of step ``t`` alone, running averages of their own, and no bias.

    Args:
        input_features: Channels ``C``.
        time_steps: Steps ``T``.
        eps: ``ε``.
        momentum: Weight of a new batch in the running averages; None for cumulative ones.
        affine: Learn ``γ``.

    Returns:
        A `BatchNormTT`: keys ``{t}.weight``, ``{t}.running_mean``, ``{t}.running_var``,
        ``{t}.num_batches_tracked``, as in snnTorch.

    Raises:
        ValueError: at a call, for another shape or more than ``T`` steps.

    Example:
        >>> import torch, bitspike as snn
        >>> bntt = snn.BatchNormTT1d(6, time_steps=10)
        >>> bntt[3](torch.rand(4, 6)).shape, bntt(torch.rand(10, 4, 6)).shape
        (torch.Size([4, 6]), torch.Size([10, 4, 6]))
    """
    return _through_time(nn.BatchNorm1d, input_features, time_steps, (eps, momentum, affine))


def BatchNormTT2d(
    input_features: int,
    time_steps: int,
    eps: float = 1e-5,
    momentum: float | None = 0.1,
    affine: bool = True,
) -> BatchNormTT:
    """Batch normalisation through time of ``[B, C, H, W]``; see `BatchNormTT1d`.

    Args:
        input_features: Channels ``C``.
        time_steps: Steps ``T``.
        eps: See `BatchNormTT1d`.
        momentum: See `BatchNormTT1d`.
        affine: See `BatchNormTT1d`.

    Example:
        >>> import torch, bitspike as snn
        >>> snn.BatchNormTT2d(3, time_steps=5)(torch.rand(5, 2, 3, 8, 8)).shape
        torch.Size([5, 2, 3, 8, 8])
    """
    return _through_time(nn.BatchNorm2d, input_features, time_steps, (eps, momentum, affine))


def _through_time(
    kind: Any, features: int, steps: int, options: tuple[float, float | None, bool]
) -> BatchNormTT:
    if steps < 1:
        raise ValueError(f"time_steps must be at least 1, not {steps}")
    bntt = BatchNormTT([kind(features, *options) for _ in range(steps)])
    for norm in bntt:
        norm.bias = None  # type: ignore[assignment]
    return bntt


class _OverTime(nn.Module):
    """Statistics over all steps, samples and positions of a channel."""

    def __init__(self, num_features: int, eps: float, momentum: float | None, affine: bool) -> None:
        super().__init__()
        self.num_features = num_features
        self.norm = nn.BatchNorm1d(num_features, eps, momentum, affine)

    def _normalised(self, x: Tensor) -> Tensor:
        if x.dim() < 3 or x.shape[2] != self.num_features:
            raise ValueError(
                f"x must be a sequence [T, B, {self.num_features}, *], not {tuple(x.shape)}"
            )
        flat: Tensor = x.flatten(0, 1)
        try:
            normalised: Tensor = self.norm(flat.flatten(2) if flat.dim() > 2 else flat)
        except RuntimeError:
            expect_one_device(x, "x", (*self.named_parameters(), *self.named_buffers()))
            raise
        return normalised.view(x.shape)

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence ``[T, B, C, *]``, as in every call; `unroll` calls it."""
        result: Tensor = self(x)
        return result


class tdBN(_OverTime):
    r"""Threshold-dependent batch normalisation (Zheng et al. 2021).

    .. math::
        y = λ·αθ·\frac{x - μ}{\sqrt{σ² + ε}} + β

    with the mean and variance of a channel over all steps, samples and positions, so that a current
    has the scale of the threshold that it meets.

    Args:
        num_features: Channels ``C``.
        threshold: ``θ`` of the neurons behind.
        alpha: ``α``: 1 in a chain of layers, ``1/√n`` where ``n`` branches are added.
        eps: ``ε``.
        momentum: Weight of a new batch in the running averages; None for cumulative ones.
        affine: Learn ``λ`` (``weight``, at first 1) and ``β`` (``bias``, at first 0).

    Shapes:
        A whole sequence ``[T, B, C, *]``, output the same. In `unroll` it sees the whole sequence.

    Raises:
        ValueError: for another shape.

    Example:
        >>> import torch, bitspike as snn
        >>> y = snn.tdBN(4, threshold=0.5)(torch.rand(10, 8, 4, 3, 3))
        >>> y.shape, round(y.std().item(), 2)
        (torch.Size([10, 8, 4, 3, 3]), 0.5)
    """

    def __init__(
        self,
        num_features: int,
        threshold: float = 1.0,
        alpha: float = 1.0,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
    ) -> None:
        """Makes the parameters."""
        super().__init__(num_features, eps, momentum, affine=False)
        self.threshold = threshold
        self.alpha = alpha
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalises a sequence."""
        x = as_tensor(x, "x")
        y = self._normalised(x)
        scale = self.alpha * self.threshold
        if self.weight is None or self.bias is None:
            return y * scale
        shape = (-1, *(1,) * (x.dim() - 3))
        return y * (scale * self.weight).view(shape) + self.bias.view(shape)

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"{self.num_features}, threshold={self.threshold}, alpha={self.alpha}"


class TEBN(_OverTime):
    r"""Temporal effective batch normalisation (Duan et al. 2022).

    .. math::
        y[t] = p[t]·\left(γ·\frac{x[t] - μ}{\sqrt{σ² + ε}} + β\right)

    with the mean and variance of a channel over all steps, samples and positions, and a learnable
    weight ``p[t]`` per step, at first 1.

    Args:
        num_features: Channels ``C``.
        time_steps: Steps ``T``.
        eps: ``ε``.
        momentum: Weight of a new batch in the running averages; None for cumulative ones.
        affine: Learn ``γ`` and ``β``.

    Shapes:
        A whole sequence ``[T, B, C, *]``, or a shorter one, which uses the first weights; output
        the same. In `unroll` it sees the whole sequence.

    Raises:
        ValueError: for another shape or more than ``T`` steps.

    Example:
        >>> import torch, bitspike as snn
        >>> snn.TEBN(4, time_steps=10)(torch.rand(10, 8, 4)).shape
        torch.Size([10, 8, 4])
    """

    def __init__(
        self,
        num_features: int,
        time_steps: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
    ) -> None:
        """Makes the parameters."""
        if time_steps < 1:
            raise ValueError(f"time_steps must be at least 1, not {time_steps}")
        super().__init__(num_features, eps, momentum, affine)
        self.time_steps = time_steps
        self.p = nn.Parameter(torch.ones(time_steps))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises a sequence."""
        x = as_tensor(x, "x")
        steps = x.shape[0] if x.dim() else 0
        if steps > self.time_steps:
            raise ValueError(f"x has {steps} steps, but time_steps={self.time_steps}")
        return self._normalised(x) * self.p[:steps].view(-1, *(1,) * (x.dim() - 1))

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"{self.num_features}, time_steps={self.time_steps}"
