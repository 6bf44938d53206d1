"""What encoders ask of their data."""

from __future__ import annotations

import torch
from torch import Size, Tensor


def floating(data: Tensor) -> Tensor:
    """The data, integers as floats of the default dtype."""
    return data if data.is_floating_point() else data.to(torch.get_default_dtype())


def recorded(data: Tensor) -> Tensor:
    """A recording ``[T, *]``, integers as floats.

    Raises:
        ValueError: if it has no axis of time, or no step.
    """
    if data.dim() == 0 or not data.shape[0]:
        raise ValueError(f"data must be [T, *] with one step or more, not {tuple(data.shape)}")
    return floating(data)


def thresholds(threshold: float | Tensor, step: Tensor) -> Tensor:
    """One threshold, or those of channels, for data like ``step``.

    Raises:
        ValueError: if one is not positive, or they do not fit the data of a step.
    """
    values = torch.as_tensor(threshold, dtype=step.dtype, device=step.device)
    fits = values.dim() <= step.dim() and all(
        own in (1, size) for own, size in zip(values.shape[::-1], step.shape[::-1], strict=False)
    )
    if not fits:
        raise ValueError(
            f"threshold {tuple(values.shape)} does not fit the data of a step {tuple(step.shape)}"
        )
    if not (values > 0).all():
        raise ValueError(f"threshold must be positive, but is {values.min()}")
    return values


def rows_and_features(shape: Size, has_time: bool) -> tuple[Size, Size]:
    """Splits a shape into the axes of time and samples, and those of neurons.

    There is an axis of samples unless one axis is all that is left behind time.
    """
    split = has_time + (len(shape) > has_time + 1)
    return shape[:split], shape[split:]
