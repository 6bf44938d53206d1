"""The learner: spikes recorded on both sides of a synapse, and a rule applied to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor
from bitspike.spikes.tensor import SpikeTensor

from .convolution import stdp_conv1d_single_step, stdp_conv2d_single_step
from .linear import check_steps, mstdp_linear_single_step, stdp_linear_single_step
from .pairing import Pairs, Side, Trace, is_native, pieces, summed
from .recording import alone, monitors, sequences
from .traces import Scale, positive, weight_itself

_RULES: dict[type[nn.Module], Any] = {
    nn.Linear: stdp_linear_single_step,
    nn.Conv1d: stdp_conv1d_single_step,
    nn.Conv2d: stdp_conv2d_single_step,
}


class _Traces(NamedTuple):
    """The state that is carried from one step to the next."""

    pre: Tensor | None
    post: Tensor | None
    eligibility: Tensor | None


class STDPLearner(nn.Module):
    r"""Learns the weight of a synapse from the spikes that pass it and those of its neurons.

    It records the input of ``synapse`` and the output of ``sn`` in every call of the network, as
    bits if they are packed, and without their graphs. `step` then applies
    `stdp_linear_single_step`, or the same for convolutions, to all recorded steps, and hands the
    sum to an optimiser as a gradient.

    With ``tau_trace`` a reward decides what is learned from the spikes before it (reward-modulated
    STDP with eligibility trace, Florian 2007). With the eligibility ``z`` of
    `mstdp_linear_single_step`, for each sample,

    .. math::
        e ← e\, e^{-1/τ_{trace}} + z, \qquad ΔW = \sum_b r_b e_b

    at every step. This trace takes ``B·out·in`` floats.

    Single steps, sequences of ``multi_step`` neurons and `bitspike.unroll` are all understood. Each
    call must run both ``synapse`` and ``sn``. Traces go on from one `step` to the next: call
    `reset` before unrelated data.

    Source: snnTorch 1.0; Morrison, Diesmann & Gerstner 2008.

    Args:
        synapse: ``nn.Linear``, ``nn.Conv1d`` or ``nn.Conv2d``; ``nn.Linear`` with ``tau_trace``.
        sn: The neuron behind it, which returns spikes alone: with ``init_hidden=True`` and without
            ``output``.
        tau_pre: Time constant of the inputs' trace, in steps.
        tau_post: That of the outputs'.
        f_pre: By how much a weight falls when its input fires after the output; the default makes
            it proportional to the weight, ``lambda w: 0.01`` the same for all.
        f_post: By how much it rises when the output fires after its input.
        tau_trace: Time constant of the eligibility; None learns without reward.

    Shapes:
        Of ``nn.Linear`` ``[B, in]`` and ``[B, out]`` per step, with time in front in sequences.

    Raises:
        TypeError: for another ``synapse``, or an ``sn`` that is no module; in a call, if ``sn``
            returns more than spikes.
        ValueError: for a time constant that is not positive.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike.functional import stdp_learner
        >>> fc, lif = nn.Linear(8, 4), snn.Leaky(beta=0.9, init_hidden=True, multi_step=True)
        >>> learner = stdp_learner.STDPLearner(fc, lif, tau_pre=2.0, tau_post=2.0)
        >>> optimizer = torch.optim.SGD(fc.parameters(), lr=0.01)
        >>> with torch.no_grad():
        ...     spikes = lif(fc((torch.rand(25, 2, 8) < 0.3).float()))
        >>> learner.step()
        >>> optimizer.step()  # gradient descent along -ΔW
        >>> fc.weight.grad.shape
        torch.Size([4, 8])
    """

    def __init__(
        self,
        synapse: nn.Linear | nn.Conv1d | nn.Conv2d,
        sn: nn.Module,
        tau_pre: float,
        tau_post: float,
        f_pre: Scale = weight_itself,
        f_post: Scale = weight_itself,
        *,
        tau_trace: float | None = None,
    ) -> None:
        kinds = tuple(_RULES) if tau_trace is None else (nn.Linear,)
        if not isinstance(synapse, kinds):
            raise TypeError(
                f"synapse must be {' or '.join('nn.' + kind.__name__ for kind in kinds)}"
                f"{'' if tau_trace is None else ' with tau_trace'}, not {type(synapse).__name__}"
            )
        if not isinstance(sn, nn.Module):
            raise TypeError(f"sn must be a module that returns spikes, not {type(sn).__name__}")
        super().__init__()
        self.tau_pre = positive(tau_pre, "tau_pre")
        self.tau_post = positive(tau_post, "tau_post")
        self.tau_trace = None if tau_trace is None else positive(tau_trace, "tau_trace")
        self.f_pre = f_pre
        self.f_post = f_post
        self.synapse = synapse
        self.in_spike_monitor, self.out_spike_monitor = monitors(
            synapse, sn, partial(alone, "sn must return its spikes alone")
        )
        self._rule = next(rule for kind, rule in _RULES.items() if isinstance(synapse, kind))
        self._forget_traces()

    def _forget_traces(self) -> None:
        self.trace_pre: Tensor | None = None
        self.trace_post: Tensor | None = None
        self.eligibility: Tensor | None = None

    def reset(self) -> None:
        """Forgets traces and records."""
        self._forget_traces()
        self._forget_records()

    def _forget_records(self) -> None:
        self.in_spike_monitor.clear_recorded_data()
        self.out_spike_monitor.clear_recorded_data()

    def disable(self) -> None:
        """Stops recording."""
        self.in_spike_monitor.disable()
        self.out_spike_monitor.disable()

    def enable(self) -> None:
        """Records again."""
        self.in_spike_monitor.enable()
        self.out_spike_monitor.enable()

    @torch.no_grad()
    def step(
        self,
        on_grad: bool = True,
        scale: float = 1.0,
        reward: float | Tensor | None = None,
    ) -> Tensor | None:
        """Learns from all steps recorded since the last call, and forgets the records.

        If nothing was recorded, nothing changes: gradients stay as they are, and the returned
        change is zero.

        Args:
            on_grad: Subtract the change from the gradient of the weight, so that an optimiser adds
                it, instead of returning it.
            scale: What the change is multiplied by.
            reward: With ``tau_trace``, the reward at each of these steps: a number, one for each
                sample ``[B]``, or one for each step and sample ``[T, B]`` (``[T, 1]``).

        Returns:
            The change ``ΔW`` in the shape of the weight, or None with ``on_grad``.

        Raises:
            ValueError: if the two sides recorded different numbers of calls or of steps, if the
                batch is another one than that of the traces, and for a reward of another shape,
                without ``tau_trace``, or missing with it.
        """
        if (reward is None) != (self.tau_trace is None):
            raise ValueError(
                "reward must be given to a learner with tau_trace, and to no other: "
                f"reward={reward}, tau_trace={self.tau_trace}"
            )
        records = self._recorded()
        weight = self.synapse.weight
        change = torch.zeros_like(weight)
        traces = _Traces(self.trace_pre, self.trace_post, self.eligibility)
        if reward is None and self._are_bits(records):
            traces, change = self._change_by_bits(traces, records)
        else:
            steps = [step for pair in records for step in zip(*pair, strict=True)]
            for spikes, rewarded in zip(steps, self._rewards(reward, steps), strict=True):
                traces, of_step = self._change(traces, spikes, rewarded)
                change = change + of_step
        change = change * scale
        gradient = None
        if on_grad and records:
            # The spikes may be of a wider dtype than the weight.
            gradient = (-change if weight.grad is None else weight.grad - change).to(weight.dtype)
        # All at once: what raises above leaves traces, records and gradient as they are.
        self.trace_pre, self.trace_post, self.eligibility = traces
        self._forget_records()
        if gradient is not None:
            weight.grad = gradient
        return None if on_grad else change

    def _change(
        self, before: _Traces, spikes: tuple[Tensor, Tensor], reward: Tensor | None
    ) -> tuple[_Traces, Tensor]:
        """The traces one step further, and by how much the weight changes."""
        self._expect_batch(before.post, spikes[1])
        change: Tensor
        rule: Any = self._rule if reward is None else mstdp_linear_single_step
        pre, post, change = rule(
            self.synapse,
            *spikes,
            trace_pre=before.pre,
            trace_post=before.post,
            tau_pre=self.tau_pre,
            tau_post=self.tau_post,
            f_pre=self.f_pre,
            f_post=self.f_post,
        )
        if reward is None or self.tau_trace is None:
            return _Traces(pre, post, before.eligibility), change
        eligibility = change
        if before.eligibility is not None:
            eligibility = before.eligibility * math.exp(-1 / self.tau_trace) + change
        rewarded: Tensor = torch.tensordot(reward.to(change.dtype), eligibility, 1)
        return _Traces(pre, post, eligibility), rewarded

    def _expect_batch(self, trace: Tensor | None, out_spike: Tensor) -> None:
        if trace is not None and trace.shape != out_spike.shape:
            raise ValueError(
                f"the traces belong to spikes {list(trace.shape)}, and now sn returned "
                f"{list(out_spike.shape)}: call reset() in between"
            )

    def _rewards(
        self, reward: float | Tensor | None, steps: Sequence[Any]
    ) -> Sequence[Tensor | None]:
        """The rewards ``[B]`` of each step."""
        if reward is None or not steps:
            return [None] * len(steps)
        shape = (len(steps), steps[0][1].shape[0])
        weight = self.synapse.weight
        given = as_tensor(reward, "reward", weight.device, weight.dtype)
        try:
            return given.expand(shape).unbind(0)
        except RuntimeError:
            raise ValueError(
                f"reward must be a number, [B] or [T, B] for (T, B) = {shape}, "
                f"not {list(given.shape)}"
            ) from None

    def _recorded(self) -> list[tuple[Tensor, Tensor]]:
        """The spikes of both sides as sequences."""
        records = self.in_spike_monitor[""], self.out_spike_monitor[""]
        return list(sequences(self.synapse.weight.dim(), *records))

    def _are_bits(self, records: Sequence[tuple[Tensor, Tensor]]) -> bool:
        """Whether the native module takes all of it, and gives the same bits."""
        weight = self.synapse.weight
        packed = all(type(x) is SpikeTensor for pair in records for x in pair)
        plain = weight.dtype == torch.float32 and is_native(weight)
        return bool(records) and packed and plain and isinstance(self.synapse, nn.Linear)

    def _change_by_bits(
        self, before: _Traces, records: Sequence[tuple[Tensor, Tensor]]
    ) -> tuple[_Traces, Tensor]:
        """The same for whole sequences of a linear layer."""
        weight = self.synapse.weight.detach()
        falls, rises = (
            torch.broadcast_to(torch.as_tensor(f(weight), dtype=weight.dtype), weight.shape)
            for f in (self.f_pre, self.f_post)
        )
        change = torch.zeros_like(weight)
        pre, post = before.pre, before.post
        for spikes in records:
            self._expect_batch(post, spikes[1][0])
            assert isinstance(self.synapse, nn.Linear)
            check_steps(self.synapse, *spikes)
            for in_spike, out_spike in pieces(*spikes):
                x, pre = _read(self.tau_pre, in_spike, pre)
                y, post = _read(self.tau_post, out_spike, post)
                pairs = Pairs(Side(in_spike, x), Side(out_spike, y))
                change = summed([pairs], rises.contiguous(), falls.contiguous(), change)
        return _Traces(pre, post, before.eligibility), change


def _read(tau: float, spikes: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
    """The trace of snnTorch at every step, and after the last."""
    state = torch.zeros(spikes.shape[1:]) if before is None else before
    return Trace(tau, euler=True).after(spikes, state, bumped=True)
