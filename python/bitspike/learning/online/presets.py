"""The rules of the literature, as points in the table of `Rule`."""

from __future__ import annotations

from .rule import Rule


def RTRL() -> Rule:
    r"""Real-time recurrent learning (Williams and Zipser 1989) in each layer.

    ``ε[t] = D[t]·ε[t-1] + ∂s[t]/∂W`` with all of ``D``: trace ``synapse``, recurrence ``full``.
    The gradient of one layer is that of backpropagation through time, for every reset, and for
    learned decays and thresholds. In a stack, errors reach a layer through the layers above at the
    same step only. Memory for each sample: ``n`` where the reset has no gradient and erases
    nothing, else ``m·n``; with a dense recurrent connection ``m²·n``, up to ``m·n = 2¹⁶``.

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


PRESETS = {make.__name__.lower(): make for make in (RTRL, SLTT, OTTT, OSTL)}


def preset(name: str) -> Rule:
    """The preset of this name, in lower case.

    Raises:
        ValueError: if there is none.
    """
    if name not in PRESETS:
        raise ValueError(f"rule must be one of {', '.join(PRESETS)}, not {name!r}")
    return PRESETS[name]()
