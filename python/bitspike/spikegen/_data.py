"""What encoders ask of their data."""

from __future__ import annotations

import torch
from torch import Size, Tensor


def floating(data: Tensor) -> Tensor:
    """The data, integers as floats of the default dtype."""
    return data if data.is_floating_point() else data.to(torch.get_default_dtype())


def rows_and_features(shape: Size, has_time: bool) -> tuple[Size, Size]:
    """Splits a shape into the axes of time and samples, and those of neurons.

    There is an axis of samples unless one axis is all that is left behind time.
    """
    split = has_time + (len(shape) > has_time + 1)
    return shape[:split], shape[split:]
