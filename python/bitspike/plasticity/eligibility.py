"""Rules in which a reward pays for what has been for a while."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .pairing import Pairs, Side, check_taus, summed
from .places import Rows
from .reward import RewardRule, times


class MSTDPET(RewardRule):
    r"""Reward-modulated plasticity with an eligibility trace: a reward pays for the recent past.

    .. math::
        z[t] = z[t-1]\, e^{-1/τ_z} + ξ[t - \text{lag}] / τ_z, \qquad
        ΔW[t] = η \sum_b r_b[t]\, z_b[t]

    with ``ξ`` of `MSTDP`. Without ``norm`` it is not divided by ``τ_z``. Where no reward is paid,
    weights stay, and the eligibility takes only what fires.

    The eligibility is one number for each synapse, shared by the samples of a batch, which must
    then have the same reward; with ``per_sample`` one for each sample and synapse.

    Source: Florian 2007.

    Args:
        tau_pre: Time constant of the inputs' trace, in steps.
        tau_post: That of the outputs'.
        tau_z: That of the eligibility.
        A_plus: What pairs are worth in which the input fires first.
        A_minus: Those in which the output does.
        bound: ``"hard"`` or ``"none"``.
        w_min: The smallest weight; None is that of the bound.
        w_max: The largest.
        lag: Steps from spikes to their eligibility: 0 or 1.
        norm: Whether pairs are divided by ``tau_z``.
        per_sample: Whether samples may have different rewards.

    Raises:
        ValueError: for a time constant that is not positive, another bound or lag.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(1, 1)
        >>> rule = plasticity.MSTDPET(tau_z=2.0, bound="none", lag=0, A_minus=0.0).attach(fc)
        >>> rule.record(torch.ones(1, 1), torch.ones(1, 1))
        >>> rule.step(reward=1.0, on_grad=True)
        >>> fc.weight.grad
        tensor([[-0.5000]])
    """

    def __init__(
        self,
        tau_pre: float = 20.0,
        tau_post: float = 20.0,
        tau_z: float = 25.0,
        A_plus: float = 1.0,
        A_minus: float = 1.0,
        *,
        bound: str = "hard",
        w_min: float | None = None,
        w_max: float | None = None,
        lag: int = 1,
        norm: bool = True,
        per_sample: bool = False,
    ) -> None:
        super().__init__(
            tau_pre,
            tau_post,
            A_plus=A_plus,
            A_minus=A_minus,
            bound=bound,
            w_min=w_min,
            w_max=w_max,
            lag=lag,
        )
        check_taus(self.name, tau_z=tau_z)
        self._keeps = math.exp(-1 / tau_z)
        self._share = 1 / tau_z if norm else 1.0
        self.per_sample = per_sample

    def _learned(self, rows: Rows, weight: Tensor, state: dict[str, Tensor], lr: float) -> Tensor:
        for change in self._paid(rows, weight, state):
            weight = self._within(weight + lr * change)
        return weight

    def _changed(
        self, rows: Rows, weight: Tensor, state: dict[str, Tensor], change: Tensor
    ) -> Tensor:
        for paid in self._paid(rows, weight, state):
            change = change + paid
        return change

    def _paid(self, rows: Rows, weight: Tensor, state: dict[str, Tensor]) -> Iterator[Tensor]:
        """What each reward changes."""
        rewards = self._modulation(self._rewards(rows, weight), state)
        if not self.per_sample:
            if rewards.shape[1] and not bool((rewards == rewards[:, :1]).all()):
                raise ValueError(
                    f"{self.name}: samples share their eligibility, so that they must have the "
                    "same reward; per_sample=True keeps one for each"
                )
            rewards = rewards[:, :1]
        pairs = self._eligible(rows, weight, state)
        groups = rewards.shape[1]
        parts = [_part(pairs, groups, g) for g in range(groups)]
        shape = (groups, *weight.shape)
        z = state.get("eligibility", weight.new_zeros(shape))
        if z.shape != shape:
            raise ValueError(
                f"{self.name}: the eligibility belongs to {len(z)} samples, and now there are "
                f"{groups}: call reset() in between"
            )
        start, steps = 0, len(rewards)
        for t in rewards.ne(0).any(1).nonzero().flatten().tolist():
            z = self._further(z, parts, start, t + 1)
            start = t + 1
            yield torch.tensordot(rewards[t], z, 1)
        state["eligibility"] = self._further(z, parts, start, steps)

    def _modulation(self, rewards: Tensor, state: dict[str, Tensor]) -> Tensor:
        """What the eligibility is multiplied by at each step."""
        return rewards

    def _further(self, z: Tensor, parts: list[Pairs], start: int, end: int) -> Tensor:
        """The eligibilities ``[groups, outputs, inputs]`` after some steps."""
        if start == end:
            return z
        ages = torch.arange(end - start - 1, -1, -1, dtype=z.dtype, device=z.device)
        rise, fall = (torch.full_like(z[0], a * self._share) for a in self._amplitudes)
        kept = z * self._keeps ** (end - start)
        further = []
        for pairs, before in zip(parts, kept, strict=True):
            piece = pairs.between(start, end)
            weighed = times(piece, (self._keeps**ages).unsqueeze(1))
            further.append(summed([weighed], rise, fall, before))
        return torch.stack(further) if further else kept


class DopamineSTDP(MSTDPET):
    r"""Plasticity whose eligibility dopamine turns into changes of weights.

    .. math::
        c[t] &= c[t-1]\, e^{-1/τ_c} + ξ[t], \qquad D[t] = D[t-1]\, e^{-1/τ_D} + p[t] \\
        ΔW[t] &= η \sum_b c_b[t]\, D_b[t]

    with ``ξ`` of `MSTDP`. What `step` takes as reward are the pulses ``p``. Dopamine lasts, so that
    a pulse also pays for pairs that come after it.

    Source: Izhikevich 2007.

    Args:
        tau_pre: Time constant of the inputs' trace, in steps.
        tau_post: That of the outputs'.
        tau_c: That of the eligibility.
        tau_d: That of dopamine.
        A_plus: What pairs are worth in which the input fires first.
        A_minus: Those in which the output does.
        bound: ``"hard"`` or ``"none"``.
        w_min: The smallest weight; None is that of the bound.
        w_max: The largest.
        per_sample: Whether samples may have different pulses.

    Raises:
        ValueError: for a time constant that is not positive, or another bound.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(1, 1)
        >>> rule = plasticity.DopamineSTDP(bound="none", A_minus=0.0).attach(fc)
        >>> rule.record(torch.ones(1, 1), torch.ones(1, 1))
        >>> rule.step(reward=1.0, on_grad=True)
        >>> fc.weight.grad
        tensor([[-1.]])
    """

    def __init__(
        self,
        tau_pre: float = 20.0,
        tau_post: float = 20.0,
        tau_c: float = 1000.0,
        tau_d: float = 200.0,
        A_plus: float = 1.0,
        A_minus: float = 1.0,
        *,
        bound: str = "hard",
        w_min: float | None = None,
        w_max: float | None = None,
        per_sample: bool = False,
    ) -> None:
        check_taus(self.name, tau_c=tau_c, tau_d=tau_d)
        super().__init__(
            tau_pre,
            tau_post,
            tau_z=tau_c,
            A_plus=A_plus,
            A_minus=A_minus,
            bound=bound,
            w_min=w_min,
            w_max=w_max,
            lag=0,
            norm=False,
            per_sample=per_sample,
        )
        self._lasts = math.exp(-1 / tau_d)

    def _modulation(self, rewards: Tensor, state: dict[str, Tensor]) -> Tensor:
        level = state.get("dopamine", torch.zeros_like(rewards[:1].sum(0)))
        levels = []
        for pulse in rewards:
            level = level * self._lasts + pulse
            levels.append(level)
        state["dopamine"] = level
        return torch.stack(levels) if levels else rewards


def _part(pairs: Pairs, groups: int, group: int) -> Pairs:
    """The rows of one group of samples."""
    if groups == 1:
        return pairs
    rows = pairs.pre.trace.shape[1] // groups
    own = slice(group * rows, (group + 1) * rows)
    return Pairs(*(Side(side.spikes[:, own], side.trace[:, own].contiguous()) for side in pairs))
