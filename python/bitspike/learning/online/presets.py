"""The rules of the literature that learn from the loss, as points in the table of `Rule`."""

from __future__ import annotations

from collections.abc import Callable

from .rule import Rule
from .signal_presets import ETLP, OSTTP, EProp


def RTRL() -> Rule:
    r"""Real-time recurrent learning (Williams and Zipser 1989) in each layer.

    ``ε[t] = D[t]·ε[t-1] + ∂s[t]/∂W`` with all of ``D``: trace ``synapse``, recurrence ``full``.
    The gradient of one layer is that of backpropagation through time, for every reset, and for
    learned decays and thresholds. In a stack, errors reach a layer through the layers above at the
    same step only. Memory for each sample: ``n`` where the reset has no gradient and erases
    nothing, else ``m·n``; with a dense recurrent connection ``m²·n``, up to ``m²·n = 2²⁴``.

    Example:
        >>> from bitspike.learning import online
        >>> online.RTRL().trace
        'synapse'
    """
    return Rule(name="RTRL", trace="synapse", recurrence="full")


def SLTT(k: int | None = None, of: int | None = None) -> Rule:
    r"""Spatial learning through time (Meng et al. 2023): errors of each step alone.

    ``∂W = Σ_t δ[t]·x[t]``: trace ``none``. No memory between steps, and exact where nothing leaks.

    Args:
        k: Learn in ``k`` random steps of each ``of``, with a gradient ``of/k`` times as large.
        of: See there.

    Raises:
        ValueError: unless ``1 <= k <= of``.

    Example:
        >>> from bitspike.learning import online
        >>> online.SLTT(k=2, of=10).steps
        (2, 10)
    """
    steps = None if k is None else (k, k if of is None else of)
    return Rule(name="SLTT", trace="none", recurrence="none", steps=steps)


def OTTT(lam: float | None = None) -> Rule:
    r"""Online training through time (Xiao et al. 2022).

    ``μ[t] = λμ[t-1] + x[t]`` and ``∂W = Σ_t δ[t]·μ[t]``: trace ``input``, recurrence ``leak``.
    Exact in the layer next to the loss, if its reset is detached and erases nothing. Memory ``n``
    for each sample.

    Args:
        lam: ``λ``; by default the decay ``beta`` of the neurons behind.

    Raises:
        ValueError: if it is no decay.

    Example:
        >>> from bitspike.learning import online
        >>> online.OTTT(lam=0.5).leak
        0.5
    """
    return Rule(name="OTTT", trace="input", recurrence="leak", leak=lam)


def OSTL(reset: str | None = None) -> Rule:
    r"""Online spatio-temporal learning (Bohnstingl et al. 2020).

    As `RTRL`: trace ``synapse``, recurrence ``full``. With ``reset="live"`` the derivative of a
    state by the one before holds that of the reset, ``D = β - θψ``.

    Args:
        reset: ``"live"`` or ``"detached"`` to make sure that neurons have ``detach_reset`` False or
            True; by default either.

    Raises:
        ValueError: for another word, and by the `Learner`.

    Example:
        >>> from bitspike.learning import online
        >>> online.OSTL(reset="live").reset
        'live'
    """
    return Rule(name="OSTL", trace="synapse", recurrence="full", reset=reset)


def SnAp(n: int = 1) -> Rule:
    r"""Sparse n-step approximation of RTRL (Menick et al. 2021).

    The trace follows an influence to the neurons at which it arrives within ``n`` steps, of which
    the first is that of the neuron itself; each further one passes the recurrent connection once,
    where its weight is not 0. What arrives later is dropped. With ``n=1``, trace ``synapse`` and
    recurrence ``self``: what each neuron sends to itself, exact for neurons that are connected to
    themselves alone. With more, recurrence ``full`` and a ``reach``, for dense connections most
    weights of which are 0; exact as `RTRL` once all neurons that can be reached are.

    Which weights are 0 is looked at in the first step after a reset. Their own gradient is not 0:
    mask it to keep them.

    Memory for each sample: ``m·n``, times the largest number of neurons that one reaches.

    Args:
        n: The steps.

    Raises:
        ValueError: for ``n`` below 1.

    Example:
        >>> from bitspike.learning import online
        >>> online.SnAp().recurrence, online.SnAp(n=2).reach
        ('self', 2)
    """
    if n < 1:
        raise ValueError(f"n must be a number of steps from 1 on, not {n}")
    if n == 1:
        return Rule(name="SnAp-1", trace="synapse", recurrence="self")
    return Rule(name=f"SnAp-{n}", trace="synapse", recurrence="full", reach=n)


def UORO(seed: int = 0) -> Rule:
    r"""Unbiased online recurrent optimisation (Tallec and Ollivier 2018).

    The influence of all parameters on all states is one random direction, ``s̃·θ̃``: trace ``rank1``,
    recurrence ``full``. Its mean is `RTRL`; its variance is high. Each step's own gradient is
    exact, only that of steps before is drawn. Memory ``m + m·n`` for each sample.

    Args:
        seed: Of the signs.

    Example:
        >>> from bitspike.learning import online
        >>> online.UORO(seed=3).trace
        'rank1'
    """
    return Rule(name="UORO", trace="rank1", recurrence="full", seed=seed)


def RFLO(lam: float) -> Rule:
    r"""Random-feedback online learning (Murray 2019), with symmetric feedback.

    ``p[t] = λp[t-1] + (1-λ)·ψ[t]·x[t]`` and ``∂W = Σ_t s̄[t]·p[t]``: trace ``none``, filtered. The
    filter stands behind ``ψ`` instead of in front of it, as in a leaky-rate network, for which it
    is exact without recurrent weights. Memory ``m·n`` for each sample.

    Args:
        lam: ``λ``.

    Raises:
        ValueError: if it is no decay.

    Example:
        >>> from bitspike.learning import online
        >>> online.RFLO(lam=0.75).gain
        0.25
    """
    return Rule(name="RFLO", trace="none", recurrence="none", kappa=lam, gain=1 - lam)


def OTPE(lam: float, approx: bool = False) -> Rule:
    r"""Online training with postsynaptic estimates (Summe et al. 2023).

    ``R̂[t] = λR̂[t-1] + e[t]`` and ``∂W = Σ_t s̄[t]·R̂[t]``: trace ``synapse``, filtered by the leak
    of the layer above. Exact for the hidden layer of two whose upper one has the decay ``lam``,
    with detached resets. Memory ``m·n`` for each sample.

    Args:
        lam: ``λ``.
        approx: F-OTPE: a filtered input and a mean of ``ψ``, trace ``pair``. Memory ``m + n``.

    Raises:
        ValueError: if it is no decay.

    Example:
        >>> from bitspike.learning import online
        >>> online.OTPE(lam=0.9).kappa, online.OTPE(lam=0.9, approx=True).trace
        (0.9, 'pair')
    """
    if approx:
        return Rule(name="F-OTPE", trace="pair", recurrence="leak", leak=lam, mean=True)
    return Rule(name="OTPE", trace="synapse", recurrence="self", kappa=lam)


def STLLR(
    lam_post: float = 0.5, lam_pre: float = 0.8, a_post: float = -0.2, a_pre: float = 1.0
) -> Rule:
    r"""S-TLLR, after spike-timing-dependent plasticity (Apolinario and Roy 2024).

    ``∂W = Σ_t s̄[t]·(a_pre·ψ[t]·x̄[t] + a_post·ψ̄[t-1]·x[t])`` with traces of both sides: trace
    ``pair``. Memory ``m + n`` for each sample.

    Args:
        lam_post: Decay of ``ψ̄``.
        lam_pre: Decay of ``x̄``.
        a_post: Weight of what comes after.
        a_pre: Weight of what comes before.

    Raises:
        ValueError: if a decay is none.

    Example:
        >>> from bitspike.learning import online
        >>> online.STLLR().post
        (0.5, -0.2)
    """
    return Rule(
        name="S-TLLR",
        trace="pair",
        recurrence="leak",
        leak=lam_pre,
        gain=a_pre,
        post=(lam_post, a_post),
    )


PRESETS: dict[str, Callable[[], Rule]] = {
    make.__name__.lower(): make
    for make in (RTRL, SLTT, OTTT, OSTL, EProp, SnAp, UORO, STLLR, ETLP, OSTTP)
}


def preset(name: str) -> Rule:
    """The preset of this name, in lower case.

    Raises:
        ValueError: if there is none, or it has arguments without a default.
    """
    if name not in PRESETS:
        raise ValueError(f"rule must be one of {', '.join(PRESETS)}, not {name!r}")
    return PRESETS[name]()
