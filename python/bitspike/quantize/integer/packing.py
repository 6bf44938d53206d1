"""Integers of few bits side by side in bytes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def packed(integers: Tensor) -> tuple[Tensor, int, int]:
    """Weights int8 ``[outputs, *]`` in as few bits as hold them all: 8, 4 or 2.

    Returns:
        int8, or uint8 ``[outputs, bytes]``, whose bytes hold two's complements, the first in the
        lowest bits; the number of bits; and by how many bits what they hold is shifted down.

    Example:
        >>> import torch
        >>> from bitspike.quantize.integer.packing import packed
        >>> packed(torch.tensor([[64, -64, 0, 64, 64]], dtype=torch.int8))
        (tensor([[77,  1]], dtype=torch.uint8), 2, 6)
    """
    low, high = (int(x) for x in integers.aminmax())
    bits, shift = next(
        (bits, shift)
        for bits in (2, 4, 8)
        for shift in range(9 - bits)
        if -(2 ** (bits - 1)) <= low >> shift
        and high >> shift < 2 ** (bits - 1)
        and not bool((integers & (2**shift - 1)).any())
    )
    integers = integers >> shift
    if bits == 8:
        return integers.contiguous(), bits, shift
    per_byte = 8 // bits
    rows = integers.flatten(1).int() & (2**bits - 1)
    rows = F.pad(rows, (0, -rows.shape[1] % per_byte)).unflatten(1, (-1, per_byte))
    shifts = torch.arange(0, 8, bits, dtype=torch.int32)
    return (rows << shifts).sum(2).to(torch.uint8), bits, shift
