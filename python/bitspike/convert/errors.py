"""Why a model is not converted."""

from __future__ import annotations


class ConversionError(ValueError):
    """A model has a part that spikes cannot stand for: its path, the reason, and the way out.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), nn.Sigmoid())
        >>> snn.convert.ann_to_snn(net, [torch.rand(4, 3)])
        Traceback (most recent call last):
            ...
        bitspike.convert.errors.ConversionError: 1, Sigmoid: ...
    """

    def __init__(self, path: str, reason: str) -> None:
        """Joins the path and the reason."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
