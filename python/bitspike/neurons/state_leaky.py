"""Leaky integrators that fire but are never reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from warnings import warn

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.neurons.base.constants import expect_broadcast, spikes_are_bits
from bitspike.neurons.base.inputs import current_of
from bitspike.neurons.base.never_reset import NeverReset, fire, integrate_and_fire
from bitspike.scan import linear_scan


class StateLeaky(NeverReset):
    r"""Leaky integrator without reset, over a whole sequence (snnTorch 1.0's ``StateLeaky``).

    .. math::
        U[t] = \sum_{k=0}^{K-1} d^k I[t-k], \qquad S[t] = γ·(U[t] > θ), \qquad d = e^{-1/τ}

    with ``τ = 1/(1 - β)``, so that the decay is ``exp(β - 1)``, not ``β``; with
    ``exact_decay=True`` it is ``β``. Without truncation ``K = T``, and ``U`` is computed by its
    recurrence ``U[t] = d·U[t-1] + I[t]``; with truncation, by a causal convolution. (The difference
    of two recurrences, ``U[t] - d^K U[t-K]``, would cancel badly when ``d`` is near 1.)

    Args:
        beta: ``β``: a number, or a tensor of shape ``()``, ``(1,)`` or ``(channels,)``.
        channels: Size of the last axis of the input, if each channel has its own ``β``. One that
            all share broadcasts, as in snnTorch.
        threshold: ``θ``: a number, or a tensor that broadcasts against one step.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        learn_beta: Make ``τ`` a parameter. (``beta`` in the ``state_dict`` is what the constructor
            got, and not used.)
        learn_threshold: Make ``threshold`` a parameter.
        state_quant: A function applied to the membrane, or False.
        output: Return spikes and membrane; otherwise the membrane alone.
        graded_spikes_factor: ``γ``, what a spike counts. (snnTorch 1.0.0 multiplies by it twice.)
        learn_graded_spikes_factor: Make it a parameter.
        kernel_truncation_steps: ``K``, or None.
        exact_decay: Let ``d = β``.
        multi_step: Without effect: every call takes a sequence.

    Shapes:
        Input ``[T, B, channels]``; spikes (a `SpikeTensor` on the CPU) and membrane the same.

    Raises:
        ValueError: for another shape of ``beta`` or of the input, ``kernel_truncation_steps < 1``,
            parameters that do not broadcast.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.StateLeaky(beta=0.5, channels=1, exact_decay=True)
        >>> spikes, membrane = neuron(torch.tensor([1.0, 1.0, 0.0]).view(3, 1, 1))
        >>> membrane.flatten(), spikes.dense().flatten()
        (tensor([1.0000, 1.5000, 0.7500]), tensor([0., 1., 0.]))
    """

    tau: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        channels: int,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = True,
        graded_spikes_factor: float | Tensor = 1.0,
        learn_graded_spikes_factor: bool = False,
        kernel_truncation_steps: int | None = None,
        *,
        exact_decay: bool = False,
        multi_step: bool = True,
    ) -> None:
        super().__init__()
        self._set_firing(
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_threshold=learn_threshold,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
        )
        # It is in the state dict of snnTorch's.
        self.register_buffer("reset_mechanism_val", torch.tensor(0))
        self._constant("beta", beta, False)
        self.state_quant = state_quant
        self.output = output
        self.multi_step = multi_step
        given: Tensor = self._buffers["beta"]  # type: ignore[assignment]
        if given.shape not in ((), (1,), (channels,)):
            raise ValueError(f"beta must have shape (), (1,) or ({channels},), not {given.shape}")
        if kernel_truncation_steps is not None and kernel_truncation_steps < 1:
            raise ValueError(
                f"kernel_truncation_steps must be at least 1, not {kernel_truncation_steps}"
            )
        spikes_matter = learn_threshold or learn_graded_spikes_factor or surrogate_disable
        if not output and (spikes_matter or spike_grad is not None or not spikes_are_bits(self)):
            warn("without output there are no spikes to configure", UserWarning, stacklevel=2)
        tau = 1 / (1 - given + 1e-12)
        if learn_beta:
            self.tau = nn.Parameter(tau)
        else:
            self.register_buffer("tau", tau)
        self.channels = channels
        self.kernel_truncation_steps = kernel_truncation_steps
        self.exact_decay = exact_decay

    @property
    def beta(self) -> Tensor:
        """``β = (τ - 1)/τ``."""
        return (self.tau - 1) / self.tau

    @property
    def decay(self) -> Tensor:
        """``d``, the factor by which the membrane decays per step."""
        return self.beta if self.exact_decay else torch.exp(-1 / self.tau)

    def forward(self, input_: Tensor) -> Any:
        """A whole sequence."""
        return self._integrate(current_of(input_, True, self.threshold.device))

    def run_sequence(self, input_: Tensor) -> Any:
        """The same: every call takes a sequence."""
        return self(input_)

    def _integrate(self, current: Tensor) -> Any:
        shared = self.tau.numel() == 1
        if current.dim() != 3 or not (shared or current.shape[2] == self.channels):
            channels = "C" if shared else self.channels
            raise ValueError(f"input_ must be [T, B, {channels}], not {tuple(current.shape)}")
        names = ("beta", "threshold", "graded_spikes_factor")
        expect_broadcast(names, [getattr(self, name) for name in names], current.shape[1:])
        taps = self.kernel_truncation_steps
        if taps is not None and taps < current.shape[0]:
            membrane = _convolve(current, self.decay, taps)
        elif self.output and not self.state_quant:
            return integrate_and_fire(self, current, self.decay)
        else:
            membrane = linear_scan(current, self.decay)
        if self.state_quant:
            membrane = self.state_quant(membrane)  # type: ignore[operator]
        if not self.output:
            return membrane
        return fire(self, membrane).to(current.dtype), membrane


def _convolve(current: Tensor, decay: Tensor, taps: int) -> Tensor:
    """The membrane ``[T, B, C]`` as a sum over only so many past steps."""
    if current.dtype in (torch.bfloat16, torch.float16):
        current = current.float()
    channels = current.shape[2]
    # Convolution in torch is correlation: the oldest tap comes first.
    ages = torch.arange(taps - 1, -1, -1, device=current.device)
    kernel = (decay.reshape(-1, 1) ** ages).to(current.dtype).expand(channels, taps)
    padded = F.pad(current.permute(1, 2, 0), (taps - 1, 0))
    return F.conv1d(padded, kernel.unsqueeze(1), groups=channels).permute(2, 0, 1)
