"""The same computation in torch instead of native kernels, with a warning if unexpected."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from bitspike.ops import route


class ReferencePathWarning(UserWarning):
    """A call runs in torch instead of natively, for a reason that is easily overlooked.

    Results are the same, but slower and larger. The reason is an input and a parameter that differ
    in dtype, for instance a float64 decay of several elements from NumPy. The warning comes once
    for each reason and class. It does not come for what was chosen: ``state_quant``, a surrogate of
    one's own, float64 throughout, a GPU, an overridden method. :meth:`SpikingNeuron.native_refusal`
    returns any reason; ``BITSPIKE_STRICT=1`` makes it an error.

    Example:
        >>> import warnings
        >>> lif = snn.Leaky(beta=torch.tensor([0.5, 0.9], dtype=torch.float64))
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     for _ in range(2):
        ...         _ = lif(torch.ones(3, 2))
        >>> [warning.category.__name__ for warning in caught]
        ['ReferencePathWarning']
    """


_told: set[tuple[str, str]] = set()


def leave_kernels(who: str, reason: str, current: Tensor, others: list[Tensor]) -> None:
    """Warns that a call of ``who`` runs in torch, if the reason is easily overlooked.

    Args:
        who: A class or a function.
        reason: Why it does.
        current: Its input.
        others: What the input meets: parameters.

    Raises:
        RuntimeError: if the environment forbids it.
    """
    route.require_native(reason)
    if torch.compiler.is_compiling() or (who, reason) in _told or not current.is_cpu:
        return
    dtypes = {x.dtype for x in others}
    differ = not dtypes <= {current.dtype} and not {current.dtype, *dtypes} <= set(
        route.NATIVE_DTYPES
    )
    if not differ or reason != route.refusal(current, others):
        return
    _told.add((who, reason))
    warnings.warn(
        f"{who} runs in torch, slower than natively: {reason}. Input and parameters of one dtype, "
        "float32, run natively; those of float64 in torch without this warning",
        ReferencePathWarning,
        stacklevel=2,
    )
