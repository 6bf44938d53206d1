"""Rules in which a reward decides what pairs of spikes are worth."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.ops.traces import LearningArguments

from .bounds import Bound
from .pairing import Pairs, Side, Trace, as_bits, check_taus, learned, numbers, summed
from .places import Rows
from .rule import SynapticRule


class RewardRule(SynapticRule):
    """Base of the rules that take a reward at every step.

    Example:
        >>> from bitspike import plasticity
        >>> isinstance(plasticity.MSTDP(), plasticity.RewardRule)
        True
    """

    _reward: Tensor | None = None

    def __init__(
        self,
        tau_pre: float,
        tau_post: float,
        A_plus: float,
        A_minus: float,
        bound: str,
        w_min: float | None,
        w_max: float | None,
        lag: int,
    ) -> None:
        super().__init__()
        check_taus(self.name, tau_pre=tau_pre, tau_post=tau_post)
        if bound not in ("hard", "none"):
            raise ValueError(
                f"{self.name}: bound must be 'hard' or 'none', because what a reward pays for does "
                f"not depend on the weight, not {bound!r}"
            )
        if lag not in (0, 1):
            raise ValueError(f"{self.name}: lag must be 0 or 1 steps, not {lag!r}")
        self._bound = Bound.of(self.name, bound, w_min=w_min, w_max=w_max)
        self._amplitudes = A_plus, A_minus
        self._traces = Trace(tau_pre), Trace(tau_post)
        self.lag = lag

    @torch.no_grad()
    def step(  # type: ignore[override]
        self,
        reward: float | Tensor | None = None,
        lr: float | None = None,
        *,
        on_grad: bool = False,
    ) -> None:
        """Learns as `SynapticRule.step` says, from a reward.

        Args:
            reward: The reward at each recorded step: a number, one for each sample ``[B]``, or one
                for each step and sample ``[T, B]`` (``[T, 1]``).
            lr: What changes are multiplied by; 1 if it is not given.
            on_grad: Change the gradient, and not the weights.

        Raises:
            RuntimeError: if the rule is not attached.
            ValueError: without a reward, or if it or the records do not fit.
        """
        if reward is None:
            raise ValueError(
                f"{self.name} learns from a reward: call step(reward=...), or take STDP, which "
                "needs none"
            )
        self._reward = with_values(as_tensor(reward, "reward"), "reward")
        self._seen = 0
        try:
            self._step(lr, on_grad)
        finally:
            self._reward = None

    _seen = 0
    """Steps of this call that have been rewarded."""

    def _rewards(self, rows: Rows, like: Tensor) -> Tensor:
        """The rewards ``[T, B]`` of a sequence."""
        steps, samples = len(rows.pre), rows.pre.shape[1] // rows.places
        assert self._reward is not None
        given = self._reward.to(like.device, like.dtype)
        if given.dim() == 2 and given.shape[0] > 1:
            given = given[self._seen : self._seen + steps]
        self._seen += steps
        try:
            return given.expand(steps, samples)
        except RuntimeError:
            raise ValueError(
                f"{self.name}: reward must be a number, [B] or [T, B] for (T, B) = "
                f"{(self._seen, samples)}, not {list(self._reward.shape)}"
            ) from None

    def _eligible(self, rows: Rows, weight: Tensor, state: dict[str, Tensor]) -> Pairs:
        """The pairs that are rewarded at each step: with a lag, those of the step before."""
        sides = []
        for name, trace, spikes in zip(("pre", "post"), self._traces, rows[:2], strict=True):
            values, state[name] = trace.after(
                spikes, self._trace(state, name, spikes, weight), bumped=True
            )
            if self.lag:
                before = self._trace(state, f"{name}_value", spikes, weight)
                fired = self._trace(state, f"{name}_spike", spikes, weight)
                known = numbers(spikes, weight.dtype)
                if len(spikes):
                    state[f"{name}_value"], state[f"{name}_spike"] = values[-1], known[-1]
                values = torch.cat([before.unsqueeze(0), values])[: len(spikes)]
                spikes = as_bits(torch.cat([fired.unsqueeze(0), known])[: len(spikes)])
            sides.append(Side(spikes, values))
        return Pairs(*sides)

    def _within(self, weight: Tensor) -> Tensor:
        return self._bound.clamp(weight)


def times(pairs: Pairs, factors: Tensor) -> Pairs:
    """Pairs that count more or less: factors are ``[T, R]``."""
    return Pairs(*(side._replace(trace=side.trace * factors.unsqueeze(2)) for side in pairs))


class MSTDP(RewardRule):
    r"""Reward-modulated plasticity: a reward pays for the pairs of one step.

    .. math::
        ξ[t] = A_+ S_i x_j - A_- s_j y_i, \qquad ΔW[t] = η \sum_b r_b[t]\, ξ_b[t - \text{lag}]

    with the traces of `STDP`, in which spikes of the same step are a pair of either order. With
    ``lag=1``, as in the literature, a reward pays for the step before it.

    Source: Florian 2007.

    Args:
        tau_pre: Time constant of the inputs' trace, in steps.
        tau_post: That of the outputs'.
        A_plus: What pairs are worth in which the input fires first.
        A_minus: Those in which the output does.
        bound: ``"hard"`` or ``"none"``.
        w_min: The smallest weight; None is that of the bound.
        w_max: The largest.
        lag: Steps from spikes to their reward: 0 or 1.

    Raises:
        ValueError: for a time constant that is not positive, another bound or lag.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(1, 1)
        >>> rule = plasticity.MSTDP(bound="none", lag=0, A_minus=0.0).attach(fc)
        >>> rule.record(torch.ones(1, 1), torch.ones(1, 1))
        >>> rule.step(reward=0.5, on_grad=True)
        >>> fc.weight.grad
        tensor([[-0.5000]])
    """

    def __init__(
        self,
        tau_pre: float = 20.0,
        tau_post: float = 20.0,
        A_plus: float = 1.0,
        A_minus: float = 1.0,
        *,
        bound: str = "hard",
        w_min: float | None = None,
        w_max: float | None = None,
        lag: int = 1,
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

    def _rewarded(self, rows: Rows, weight: Tensor, state: dict[str, Tensor]) -> Pairs:
        rewards = self._rewards(rows, weight).repeat_interleave(rows.places, 1)
        return times(self._eligible(rows, weight, state), rewards)

    def _learned(self, rows: Rows, weight: Tensor, state: dict[str, Tensor], lr: float) -> Tensor:
        (a, b), bound = self._amplitudes, self._bound
        rule = LearningArguments(lr, (a, 0.0), (b, 0.0), (bound.low, bound.high))
        return learned([self._rewarded(rows, weight, state)], rule, weight)

    def _changed(
        self, rows: Rows, weight: Tensor, state: dict[str, Tensor], change: Tensor
    ) -> Tensor:
        rise, fall = (torch.full_like(weight, a) for a in self._amplitudes)
        return summed([self._rewarded(rows, weight, state)], rise, fall, change)
