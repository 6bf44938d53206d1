"""Integers of few bits side by side in bytes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def packed(integers: Tensor) -> tuple[Tensor, int]:
    """Weights ``[outputs, *]`` in as few bits as hold them all: 8, 4 or 2.

    Returns:
        int8 as they are, or uint8 ``[outputs, bytes]``, whose bytes hold two's complements, the
        first in the lowest bits; and the number of bits.

    Example:
        >>> import torch
        >>> from bitspike.quantize.integer.packing import packed
        >>> packed(torch.tensor([[1, -1, 0, 1, 1]], dtype=torch.int8))
        (tensor([[77,  1]], dtype=torch.uint8), 2)
    """
    low, high = (int(x) for x in integers.aminmax())
    bits = next(bits for bits in (2, 4, 8) if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1))
    if bits == 8:
        return integers.contiguous(), bits
    per_byte = 8 // bits
    rows = integers.flatten(1).int() & (2**bits - 1)
    rows = F.pad(rows, (0, -rows.shape[1] % per_byte)).unflatten(1, (-1, per_byte))
    shifts = torch.arange(0, 8, bits, dtype=torch.int32)
    return (rows << shifts).sum(2).to(torch.uint8), bits
