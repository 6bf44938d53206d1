"""State-space models that fire: linear memories of many time constants."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bitspike import checkpoint as checkpoint
from bitspike.arguments import as_tensor, expect_choice, expect_one_device
from bitspike.neurons.base.never_reset import NeverReset, fire
from bitspike.state import HiddenState, savable

from ._state_space import Discrete, Last, fft, recurrence, scan

_METHODS = {"fft": fft, "scan": scan, "recurrence": recurrence}


class SSMBlock(NeverReset, HiddenState):
    r"""A diagonal state-space model per channel, whose output fires (S4D: Gu et al. 2022).

    .. math::
        h[t] = \bar{Λ}·h[t-1] + \bar{B}·x[t], \qquad y[t] = \mathrm{Re}(C·h[t]) + D·x[t], \qquad
        S[t] = γ·(y[t] > θ)

    with ``N`` complex states ``h`` per channel, and the continuous ``h' = Λh + Bx`` discretised by
    a zero-order hold of ``Δ`` per step:

    .. math::
        \bar{Λ} = e^{ΔΛ}, \qquad \bar{B} = (\bar{Λ} - 1)·Λ^{-1}·B, \qquad
        Λ = -e^{a} + iω

    so that it is stable whatever is learned: ``|Λ̄| < 1``. ``Λ`` starts as ``-1/2 + iπn``
    (S4D-Lin), ``Δ`` log-uniform in ``[dt_min, dt_max]``, ``B`` and ``D`` as 1, ``C`` as normal
    numbers. Channels do not mix: ``nn.Linear`` before or behind does that.

    A whole sequence is computed in one of three ways, which agree up to rounding:

    * ``"fft"``: as a convolution with the kernel ``K[k] = Re(C Λ̄^k B̄)``, in ``O(T log T)``, without
      the states of all steps. The fastest, in training as well.
    * ``"scan"``: the states of all steps, in ``log₂ T`` rounds of doubling reach.
    * ``"recurrence"``: step after step; spikes have the bits of single steps. In the others a spike
      may differ where ``y`` is within its rounding error of ``θ``.

    In single steps ``h`` is a hidden state, as real and imaginary parts ``[B, dim, N, 2]``, zeroed
    by :func:`bitspike.utils.reset`. With ``multi_step=True`` each call is a whole sequence that
    starts from zero. `unroll` hands over whole sequences, and continues the state unless
    ``multi_step`` is True.

    Args:
        dim: Channels, the last axis.
        state: States ``N`` per channel.
        kind: ``"s4d"``.
        threshold: ``θ``: a number, or a tensor ``[dim]``.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        learn_threshold: Make ``threshold`` a parameter.
        method: ``"fft"``, ``"scan"`` or ``"recurrence"``.
        dt_range: ``(dt_min, dt_max)``.
        multi_step: Take a whole sequence per call.

    Shapes:
        One step ``[B, dim]``, a sequence ``[T, B, dim]``; output the same, in a sequence a
        `SpikeTensor` on the CPU. :meth:`current` gives ``y``.

    Raises:
        ValueError: for a size below 1, another ``kind`` or ``method``, a range that is not positive
            and rising, and an input of another shape.

    Example:
        >>> import torch, bitspike as snn
        >>> block = snn.SSMBlock(dim=4, state=16)
        >>> spikes = snn.unroll(block, torch.rand(50, 2, 4))
        >>> spikes.shape, block.h.shape
        (torch.Size([50, 2, 4]), torch.Size([2, 4, 16, 2]))
        >>> bool((block.decays().abs() < 1).all())
        True
    """

    STATES = ("h",)

    h: Tensor

    def __init__(
        self,
        dim: int,
        state: int = 64,
        kind: str = "s4d",
        *,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        learn_threshold: bool = False,
        method: str = "fft",
        dt_range: tuple[float, float] = (1e-3, 1e-1),
        multi_step: bool = False,
    ) -> None:
        for name, size in (("dim", dim), ("state", state)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        expect_choice("kind", kind, ("s4d",))
        expect_choice("method", method, _METHODS)
        low, high = dt_range
        if not 0 < low <= high:
            raise ValueError(f"dt_range must be (low, high) with 0 < low <= high, not {dt_range}")
        super().__init__()
        self.dim, self.state, self.kind = dim, state, kind
        self.method = method
        self.multi_step = multi_step
        self.log_dt = nn.Parameter(torch.empty(dim).uniform_(math.log(low), math.log(high)))
        self.log_decay = nn.Parameter(torch.full((dim, state), math.log(0.5)))
        self.frequency = nn.Parameter(math.pi * torch.arange(state).expand(dim, state).clone())
        ones = torch.stack([torch.ones(dim, state), torch.zeros(dim, state)], -1)
        self.B = nn.Parameter(ones)
        self.C = nn.Parameter(torch.randn(dim, state, 2) / math.sqrt(2 * state))
        self.D = nn.Parameter(torch.ones(dim))
        self._set_firing(
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_threshold=learn_threshold,
            graded_spikes_factor=1.0,
            learn_graded_spikes_factor=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """One step, or a sequence if ``multi_step``."""
        x = as_tensor(x, "x")
        if self.multi_step:
            return self._spikes(x)
        return self._spikes(x.unsqueeze(0), self.fire)[0]

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence ``[T, B, dim]``, whatever ``multi_step`` says."""
        return self._spikes(as_tensor(x, "x"))

    def current(self, x: Tensor) -> Tensor:
        """``y`` of a sequence ``[T, B, dim]`` that starts from zero, without firing."""
        return self._run(self._checked(as_tensor(x, "x")), None)[0]

    def decays(self) -> Tensor:
        """``Λ̄``, complex ``[dim, state]``."""
        return torch.exp(self._dt() * self._poles())

    def _dt(self) -> Tensor:
        return torch.exp(self.log_dt).unsqueeze(1)

    def _poles(self) -> Tensor:
        return torch.complex(-torch.exp(self.log_decay), self.frequency)

    def _discrete(self) -> Discrete:
        held = torch.expm1(self._dt() * self._poles()) / self._poles()
        inputs = held * torch.view_as_complex(self.B)
        return Discrete(self.decays(), inputs, torch.view_as_complex(self.C), self.D)

    def _checked(self, x: Tensor) -> Tensor:
        if x.dim() != 3 or x.shape[2] != self.dim:
            raise ValueError(f"x must be [B, {self.dim}] at each step, not {tuple(x.shape[1:])}")
        expect_one_device(x, "x", (*self.named_parameters(), *self.named_buffers()))
        return (x * 1).to(self.D.dtype)

    def _spikes(self, x: Tensor, firing: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        x = self._checked(x)
        checkpoint.note(self, not self.multi_step)
        initial = None
        if not self.multi_step:
            known = savable(*self._kept())
            if known.shape == (*x.shape[1:], self.state, 2):
                initial = torch.view_as_complex(known.to(x.dtype))
        y, last = self._run(x, initial)
        if not self.multi_step:
            self._keep(self._before, (torch.view_as_real(last()),), detached=False)
        return fire(self, y) if firing is None else firing(y)

    def _run(self, x: Tensor, initial: Tensor | None) -> tuple[Tensor, Last]:
        """``y`` of all steps, and what gives ``h`` of the last one."""
        run = recurrence if len(x) <= 1 else _METHODS[self.method]
        return run(self._discrete(), x, initial)

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"{self.dim}, state={self.state}, method={self.method!r}"
