"""Regularisers: what activity costs, whatever the labels."""

from __future__ import annotations

import torch
from torch import Tensor

from ._recordings import wide


class l1_rate_sparsity:
    r"""A price per spike.

    .. math::
        R = \Lambda \sum_{t,b,i} S[t,b,i]

    Packed spikes are counted as bits. Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        Lambda: The price.

    Shapes:
        Spikes of any shape; the penalty is a number.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.l1_rate_sparsity(0.5)(torch.ones(5, 2, 3))
        tensor(15.)
    """

    def __init__(self, Lambda: float = 1e-5) -> None:
        self.Lambda = Lambda
        self.__name__ = type(self).__name__

    def __call__(self, spk_out: Tensor) -> Tensor:
        """The penalty."""
        return self.Lambda * torch.sum(wide(spk_out))
