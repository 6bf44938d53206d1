"""How large sums and states of integers can become; ``rust/core/src/integer`` checks the same."""

from __future__ import annotations

import torch
from torch import Tensor

SHARES = 2**15
"""What the factors of a decay are shares of."""
_CLAMP = 2**30
"""Where states are clamped that do not decay."""


def of_sums(integers: Tensor, bias: Tensor | None, inputs: Tensor) -> Tensor:
    r"""The bound of each output, :math:`|b_i| + \sum_j |q_{ij}| x_j`.

    Args:
        integers: ``[outputs, inputs]``
        bias: ``[outputs]``
        inputs: The largest magnitude of each input, ``[inputs]`` or ``[outputs, inputs]``.
    """
    sums = (integers.long().abs() * inputs).sum(1)
    return sums if bias is None else sums + bias.long().abs()


def of_states(shift: int | None, factor: Tensor | None, inputs: Tensor, amount: Tensor) -> Tensor:
    r"""The bound of states that collect inputs of these bounds.

    A state of at most :math:`B` decays to at most :math:`B - B/2^k + 1`, so it stays there with an
    input of :math:`C` if :math:`B \ge 2^k (C + 1)`; one unit more covers what rounding adds.

    Args:
        shift: ``k`` of a decay by a shift.
        factor: Those of a decay that multiplies; without both, states are clamped.
        inputs: Of each neuron.
        amount: What a reset subtracts.
    """
    if shift is not None:
        return torch.maximum((inputs + 2) << shift, inputs + amount)
    if factor is not None:
        lost = SHARES - factor.long()
        return torch.maximum(((inputs + 2) * SHARES + lost - 1) // lost, inputs + amount)
    return _CLAMP + inputs + amount
