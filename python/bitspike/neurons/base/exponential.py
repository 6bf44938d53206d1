"""The current of the exponential integrate-and-fire neurons."""

from torch import Tensor

CAP = 10.0
"""Where the exponent stops growing: the spike comes within that step in any case."""


def upstroke(u: Tensor, v_t: Tensor, delta_t: Tensor) -> Tensor:
    """``Δ_T·exp((u - V_T)/Δ_T)``, with which sodium answers to a rising membrane ``u``.

    The exponent is at most 10, so that a membrane far above threshold does not overflow; beyond,
    the current is constant.
    """
    return delta_t * ((u - v_t) / delta_t).clamp(max=CAP).exp()
