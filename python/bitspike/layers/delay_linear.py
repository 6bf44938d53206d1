"""A linear layer each of whose synapses has a delay of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike import checkpoint as checkpoint
from bitspike.arguments import as_tensor, expect_choice, expect_one_device
from bitspike.neurons.base.constants import may_be_read
from bitspike.ops.matmul import prefers_dense
from bitspike.ops.route import is_observed
from bitspike.spikes.linear import linear
from bitspike.spikes.tensor import SpikeTensor

from ._past import Past
from ._taps import KERNELS, between, expect_range, taps


class DelayLinear(Past):
    r"""A linear layer with learnable delays of its synapses (DCLS: Hammouamri et al. 2024).

    .. math::
        y_i[t] = \sum_j \sum_c W_{ijc} \sum_{k=0}^{K} w_k(d_{ijc})·x_j[t-k] + b_i

    with ``x = 0`` before the first step, ``d`` clamped to ``[0, K]`` where ``K`` is ``max_delay``,
    and the weights ``w_k`` of `SynapticDelay`: ``"gaussian"`` ones see all steps, so that a
    gradient can lead far, ``"triangle"`` ones those that ``1 + σ`` steps reach, ``"linear"`` ones
    the two that ``d`` lies between. Training lowers attribute ``sigma``, from step to step or from
    epoch to epoch, with `surrogate.schedule.Exponential` say, and ends with :meth:`round_`.

    Floats pass a convolution over time. For packed spikes synapses are sorted by delay: one product
    for each delay that there is takes their bits from the steps where they lie. A gaussian or a
    triangle has weights at all delays; once they are rounded, each synapse is in one product.

    The last ``K`` inputs are a hidden state, ``history``, as those of `SynapticDelay`: zeroed by
    :meth:`reset_delay` and :func:`bitspike.utils.reset`, in no ``state_dict``. With
    ``multi_step=True`` each call is a whole sequence that starts from silence. `unroll` hands over
    whole sequences, and continues the history unless ``multi_step`` is True. Single steps give the
    numbers of the sequence up to the order in which a product adds.

    Args:
        in_features: Inputs ``n``.
        out_features: Outputs ``m``.
        max_delay: ``K``, a whole number.
        kernel: ``"gaussian"``, ``"linear"`` or ``"triangle"``.
        kernel_count: Synapses, each with a weight and a delay, between an input and an output.
        bias: Whether there is ``b``.
        delay: ``d``: a number, or a tensor ``[m, n, kernel_count]``; by default drawn from
            ``U(0, K)``.
        learn_delay: Make ``delay`` a parameter.
        sigma: ``σ`` of the Gaussian and the triangle, in steps.
        multi_step: Take a whole sequence per call.

    Shapes:
        One step ``[B, n]``, a sequence ``[T, B, n]``; output with ``m`` in place of ``n``.
        ``weight`` and ``delay`` are ``[m, n, kernel_count]``.

    Raises:
        ValueError: for a delay outside ``[0, max_delay]`` or of another shape, an unknown kernel, a
            size or ``sigma`` that is not positive, and an input of another shape.

    Example:
        >>> import torch, bitspike as snn
        >>> layer = snn.DelayLinear(2, 1, max_delay=3, kernel="linear", bias=False, multi_step=True,
        ...                         delay=torch.tensor([[[3.0], [1.0]]]))
        >>> _ = layer.weight.data.copy_(torch.tensor([[[2.0], [5.0]]]))
        >>> x = torch.tensor([[1.0, 0], [0, 0], [0, 1], [0, 0]]).unsqueeze(1)
        >>> layer(x).flatten().tolist()
        [0.0, 0.0, 0.0, 7.0]
    """

    weight: Tensor
    delay: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        max_delay: int,
        kernel: str = "gaussian",
        kernel_count: int = 1,
        *,
        bias: bool = True,
        delay: float | Tensor | None = None,
        learn_delay: bool = True,
        sigma: float = 1.0,
        multi_step: bool = False,
    ) -> None:
        expect_range(max_delay, sigma)
        expect_choice("kernel", kernel, KERNELS)
        shape = (out_features, in_features, kernel_count)
        names = ("out_features", "in_features", "kernel_count")
        for name, size in zip(names, shape, strict=True):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.max_delay = max_delay
        self.kernel = kernel
        self.sigma = sigma
        self.multi_step = multi_step
        bound = 1 / math.sqrt(in_features * kernel_count)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = (
            nn.Parameter(torch.empty(out_features).uniform_(-bound, bound)) if bias else None
        )
        values = self._first_delays(delay, torch.Size(shape))
        if learn_delay:
            self.delay = nn.Parameter(values)
        else:
            self.register_buffer("delay", values)

    def _first_delays(self, delay: float | Tensor | None, shape: torch.Size) -> Tensor:
        if delay is None:
            return torch.rand(shape) * self.max_delay
        values = as_tensor(delay, "delay", dtype=torch.get_default_dtype()).detach()
        if values.shape not in ((), shape):
            raise ValueError(f"delay must be a number or {list(shape)}, not {tuple(values.shape)}")
        longest = self.max_delay
        if may_be_read(values) and not bool(((values >= 0) & (values <= longest)).all()):
            raise ValueError(f"delay must lie in [0, max_delay={longest}], not {delay}")
        return values.expand(shape).clone()

    def forward(self, x: Tensor) -> Tensor:
        """One step, or a sequence if ``multi_step``."""
        x = as_tensor(x, "x")
        if self.multi_step:
            return self._delayed(x)
        return self._delayed(x.unsqueeze(0)).squeeze(0)

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence ``[T, B, n]``, whatever ``multi_step`` says."""
        return self._delayed(as_tensor(x, "x"))

    def _delayed(self, x: Tensor) -> Tensor:
        if x.dim() != 3 or x.shape[2] != self.in_features:
            raise ValueError(
                f"x must be [B, {self.in_features}] at each step, not {tuple(x.shape[1:])}"
            )
        expect_one_device(x, "x", (*self.named_parameters(), *self.named_buffers()))
        x = x.to(self.weight.dtype)
        checkpoint.note(self, not self.multi_step)
        past = self._after_past(x, not self.multi_step)
        y = self._sum(past, x.shape[0])
        return y if self.bias is None else y + self.bias

    def _sum(self, past: Tensor, steps: int) -> Tensor:
        """The current ``[T, B, m]`` of inputs ``[K + T, B, n]``, without bias."""
        weights, longest = self.weights(), self.max_delay
        if steps and not self._suits_bits(past):
            past = past * 1
            kernel = weights.permute(1, 2, 0).flip(-1)
            # Added to 0, as sums of bits are: silence gives 0 and not -0.
            return F.conv1d(past.permute(1, 2, 0), kernel).permute(2, 0, 1) + 0.0
        shape = steps, past.shape[1], self.out_features
        y = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        # Delays without a synapse are skipped, unless the delays need a gradient.
        sparse = not self.delay.requires_grad and may_be_read(weights)
        for k in reversed(range(longest + 1)):  # the oldest inputs first
            if not sparse or bool(weights[k].any()):
                y = y + linear(past[longest - k :][:steps], weights[k])
        return y

    def _suits_bits(self, past: Tensor) -> bool:
        """Whether products of bits, one for each delay, are faster than a convolution of floats."""
        if not isinstance(past, SpikeTensor) or is_observed():
            return False
        rows = math.prod(past.shape[:2])
        words = past.words.reshape(rows, -1) if rows else None
        return not prefers_dense(words, rows, self.in_features, self.out_features)

    def weights(self) -> Tensor:
        """The weights of the inputs of ``0`` to ``K`` steps ago, ``[K + 1, m, n]``."""
        if self.kernel != "linear" or not self.max_delay:
            return (self.weight * taps(self.delay, self.max_delay, self.kernel, self.sigma)).sum(-1)
        floor, fraction = (x.movedim(-1, 0) for x in between(self.delay, self.max_delay))
        weight, step = self.weight.movedim(-1, 0), floor.to(torch.int64)
        shape = self.max_delay + 1, self.out_features, self.in_features
        nothing = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
        first = nothing.scatter_add(0, step, (1 - fraction) * weight)
        if not self.delay.requires_grad and may_be_read(fraction) and not bool(fraction.any()):
            return first
        return first.scatter_add(0, step + 1, fraction * weight)

    @torch.no_grad()
    def round_(self) -> DelayLinear:
        """Rounds the delays to whole steps and fixes them, with the kernel ``"linear"``.

        Returns:
            The layer itself. One that loads its ``state_dict`` needs that kernel too.
        """
        self.delay.clamp_(0, self.max_delay).round_().requires_grad_(False)
        self.kernel = "linear"
        return self

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return (
            f"{self.in_features}, {self.out_features}, max_delay={self.max_delay}, "
            f"kernel={self.kernel!r}, kernel_count={self.weight.shape[2]}, "
            f"multi_step={self.multi_step}"
        )
