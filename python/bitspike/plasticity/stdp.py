"""Rules of pairs of spikes, and of triplets."""

from __future__ import annotations

import math

from torch import Tensor

from bitspike.arguments import expect_choice

from .bounds import Bound
from .pair_rule import PairRule, Strength
from .pairing import Pairs, Side, Trace, check_taus


class STDP(PairRule):
    r"""Spike-timing-dependent plasticity of pairs of spikes.

    .. math::
        x_j &← x_j e^{-1/τ_{pre}} + s_j, \qquad y_i ← y_i e^{-1/τ_{post}} + S_i \\
        ΔW_{ij} &= η \sum_b \left( A_+ f_+(W_{ij}) S_i x_j - A_- f_-(W_{ij}) s_j y_i \right)

    A spike of an output strengthens the synapses of inputs that fired before; one of an input
    weakens that synapse if the output fired before.

    ================  =======================  =====================  ======================
    ``bound``         ``f₊``                   ``f₋``                 range
    ================  =======================  =====================  ======================
    ``hard``          1                        1                      ``[0, 1]``
    ``soft``          ``w_max - w``            ``w - w_min``          ``[0, 1]``
    ``power``         ``(1 - u)^μ₊``           ``u^μ₋``               ``[0, 1]``
    ``van_rossum``    1                        ``w``                  ``[0, ∞)``
    ``morrison``      ``w^μ w_0^{1-μ}``        ``w``                  ``[0, ∞)``
    ``proportional``  ``w``                    ``w``                  all
    ``none``          1                        1                      all
    ================  =======================  =====================  ======================

    with ``u`` the share of the way from ``w_min`` to ``w_max``. After each step weights are clamped
    to the range. Under ``power`` and ``morrison`` the elements of all weights are computed at every
    step; under the others only weights of neurons that fire are touched.

    Source: Bi & Poo 1998; Song, Miller & Abbott 2000 (``hard``); van Rossum, Bi & Turrigiano 2000;
    Gütig et al. 2003 (``power``); Morrison, Aertsen & Diesmann 2007.

    Args:
        tau_pre: Time constant of the inputs' trace, in steps.
        tau_post: That of the outputs'.
        A_plus: How much pairs change a weight in which the input fires first.
        A_minus: How much those do in which the output fires first.
        bound: How changes depend on the weight.
        w_min: The smallest weight; None is that of the bound.
        w_max: The largest.
        mu: The exponent of ``power`` (0.2) or ``morrison`` (0.4); of ``power`` also ``(μ₊, μ₋)``.
        w_0: The reference weight of ``morrison``.
        window: ``"causal"``; ``"anti"`` with the signs of both terms swapped; ``"symmetric"``, in
            which either order strengthens.
        pairing: ``"all"`` spikes, or the ``"nearest"`` before, to which a trace is set: to 1.
        coincident: What spikes of the same step do: ``"none"``, nothing; ``"both"``, a pair of
            either order; ``"pre_first"`` or ``"post_first"``, a pair of that order.
        legacy: Traces decay by ``x/τ`` as in snnTorch and SpikingJelly, Euler's method.

    Shapes:
        Of ``nn.Linear`` ``[B, in]`` and ``[B, out]`` at each step, with time in front in sequences.

    Raises:
        ValueError: for a time constant that is not positive, an unknown word, or bounds that are
            none.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(1, 1)
        >>> _ = nn.init.constant_(fc.weight, 0.5)
        >>> rule = plasticity.STDP(tau_pre=10.0, A_plus=0.1).attach(fc)
        >>> rule.record(torch.tensor([1.0, 0, 0]).view(3, 1, 1), torch.eye(3)[2].view(3, 1, 1))
        >>> rule.step()
        >>> fc.weight.item()  # 0.5 + 0.1·exp(-2/10)
        0.5818...
    """

    def __init__(
        self,
        tau_pre: float = 20.0,
        tau_post: float = 20.0,
        A_plus: float = 1.0,
        A_minus: float = 1.0,
        bound: str = "hard",
        w_min: float | None = None,
        w_max: float | None = None,
        *,
        mu: float | tuple[float, float] | None = None,
        w_0: float = 1.0,
        window: str = "causal",
        pairing: str = "all",
        coincident: str = "none",
        legacy: bool = False,
    ) -> None:
        super().__init__()
        check_taus(self.name, tau_pre=tau_pre, tau_post=tau_post)
        expect_choice("window", window, ("causal", "anti", "symmetric"))
        expect_choice("pairing", pairing, ("all", "nearest"))
        expect_choice("coincident", coincident, ("none", "both", "pre_first", "post_first"))
        signs = {"causal": (1, 1), "anti": (-1, -1), "symmetric": (1, -1)}[window]
        limits = Bound.of(self.name, bound, w_min=w_min, w_max=w_max, mu=mu, w_0=w_0)
        self._strength = Strength(limits, (signs[0] * A_plus, signs[1] * A_minus))
        self._pre = Trace(tau_pre, pairing == "nearest", legacy)
        self._post = Trace(tau_post, pairing == "nearest", legacy)
        self._bumped = coincident in ("both", "pre_first"), coincident in ("both", "post_first")

    def _pairs(self, pre: Tensor, post: Tensor, weight: Tensor, state: dict[str, Tensor]) -> Pairs:
        before = (
            self._trace(state, "pre", pre, weight),
            self._trace(state, "post", post, weight),
        )
        x, state["pre"] = self._pre.after(pre, before[0], self._bumped[0])
        y, state["post"] = self._post.after(post, before[1], self._bumped[1])
        return Pairs(Side(pre, x), Side(post, y))


class InhibitorySTDP(STDP):
    r"""Plasticity of inhibitory synapses, which brings their neurons to a rate.

    .. math::
        ΔW_{ij} = η \sum_b \left( S_i x_j + s_j (y_i - 2 ρ_0 τ) \right)

    Weights are how strongly an input inhibits: the current is *minus* ``W s``. They grow where
    neurons fire more often than ``rate``, and shrink where less often. Spikes of the same step
    count once: as an input that fires first.

    Source: Vogels et al. 2011.

    Args:
        rate: ``ρ₀``, spikes per step.
        tau: ``τ`` of both traces, in steps.
        w_min: The smallest weight.
        w_max: The largest.

    Raises:
        ValueError: for a time constant or a rate that is not positive, or bounds that are none.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc, silent = nn.Linear(1, 1), torch.zeros(1, 1)
        >>> _ = nn.init.constant_(fc.weight, 0.5)
        >>> rule = plasticity.InhibitorySTDP(rate=0.01, tau=20.0).attach(fc)
        >>> rule.record(torch.ones(1, 1), silent)
        >>> rule.step()
        >>> fc.weight.item()  # 0.5 - 2·0.01·20: a neuron that does not fire
        0.0999...
    """

    def __init__(
        self, rate: float, tau: float = 20.0, w_min: float = 0.0, w_max: float = math.inf
    ) -> None:
        super().__init__(
            tau_pre=tau,
            tau_post=tau,
            w_min=w_min,
            w_max=w_max,
            window="symmetric",
            coincident="pre_first",
        )
        if not rate > 0:
            raise ValueError(f"{self.name}: rate={rate} must be positive")
        self._toll = 2 * rate * tau

    def _pairs(self, pre: Tensor, post: Tensor, weight: Tensor, state: dict[str, Tensor]) -> Pairs:
        pairs = super()._pairs(pre, post, weight, state)
        return pairs._replace(post=pairs.post._replace(trace=pairs.post.trace - self._toll))


class TripletSTDP(PairRule):
    r"""Plasticity of triplets of spikes, which depends on rates as synapses do.

    .. math::
        \text{input fires:} \quad W &← W - η\, o_1 (A_2^- + A_3^- r_2) f_-(W) \\
        \text{output fires:} \quad W &← W + η\, r_1 (A_2^+ + A_3^+ o_2) f_+(W)

    with traces ``r₁`` (``tau_pre``) and ``r₂`` (``tau_x``) of inputs, ``o₁`` (``tau_post``) and
    ``o₂`` (``tau_y``) of outputs, each as it was just before the spike: spikes of the same step are
    no pair. The defaults are the minimal rule of the visual cortex, with a step of 1 ms.

    Source: Pfister & Gerstner 2006.

    Args:
        tau_pre: ``τ₊`` in steps.
        tau_post: ``τ₋``.
        tau_x: ``τ_x``.
        tau_y: ``τ_y``.
        A2_plus: Of pairs, to rise.
        A2_minus: Of pairs, to fall.
        A3_plus: Of triplets, to rise.
        A3_minus: Of triplets, to fall.
        bound: As of `STDP`.
        w_min: The smallest weight; None is that of the bound.
        w_max: The largest.

    Raises:
        ValueError: for a time constant that is not positive, or bounds that are none.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(1, 1)
        >>> rule = plasticity.TripletSTDP(bound="none").attach(fc)
        >>> times = torch.zeros(2, 16, 1, 1)
        >>> times[0, 0], times[1, 5], times[1, 15] = 1, 1, 1
        >>> rule.record(*times)
        >>> rule.step(on_grad=True)  # a pair alone does nothing, and two outputs do
        >>> fc.weight.grad.item()
        -0.002438...
    """

    def __init__(
        self,
        tau_pre: float = 16.8,
        tau_post: float = 33.7,
        tau_x: float = 101.0,
        tau_y: float = 114.0,
        *,
        A2_plus: float = 0.0,
        A2_minus: float = 7.1e-3,
        A3_plus: float = 6.5e-3,
        A3_minus: float = 0.0,
        bound: str = "hard",
        w_min: float | None = None,
        w_max: float | None = None,
    ) -> None:
        super().__init__()
        check_taus(self.name, tau_pre=tau_pre, tau_post=tau_post, tau_x=tau_x, tau_y=tau_y)
        limits = Bound.of(self.name, bound, w_min=w_min, w_max=w_max)
        self._strength = Strength(limits, (1.0, 1.0))
        self._fast = Trace(tau_pre), Trace(tau_post)
        self._slow = Trace(tau_x), Trace(tau_y)
        self._plus, self._minus = (A2_plus, A3_plus), (A2_minus, A3_minus)

    def _pairs(self, pre: Tensor, post: Tensor, weight: Tensor, state: dict[str, Tensor]) -> Pairs:
        found: list[Side] = []
        for i, (side, spikes, (of_pair, of_triplet)) in enumerate(
            (("pre", pre, self._minus), ("post", post, self._plus))
        ):
            fast, slow = self._fast[i], self._slow[i]
            key = f"{side}_slow"
            before = (
                self._trace(state, side, spikes, weight),
                self._trace(state, key, spikes, weight),
            )
            trace, state[side] = fast.after(spikes, before[0], bumped=False)
            memory, state[key] = slow.after(spikes, before[1], bumped=False)
            found.append(Side(spikes, trace, of_pair + of_triplet * memory))
        return Pairs(*found)
